"""A play in which both sides are listened to, and somebody who subscribed on both."""

from isthmus.flows.consent import poll_profiles, poll_unsubscribes
from isthmus.flows.consent.write_back import write_back
from plays import Play
from sims.ometria import unsubscribes as centre
from sims.shopify.state import Customer

OUT, IN = "EXPLICITLY_OPTEDOUT", "EXPLICITLY_OPTEDIN"


class Both(Play):
    """A play in which both sides are listened to."""

    def work(self) -> None:
        poll_unsubscribes.poll_unsubscribes(self.db, self.context)
        poll_profiles.poll_profiles(self.db, self.context)
        poll_profiles.recheck_profiles(self.db, self.context)
        super().work()
        write_back(self.db, self.context)

    def rest(self) -> None:
        """Until nothing moves on either side, and what was written has been looked at."""
        for _ in range(3):
            self.come_to_rest()
            self.pass_time(15)

    def leaves(self, email: str, way: str = "preferences_centre") -> None:
        """Somebody unsubscribes in Ometria."""
        account = self.sims.ometria.account
        centre.opt_out(account, centre.find(account, email=email), self.sim_clock.now(), way)

    def returns(self, email: str) -> None:
        """Somebody subscribes again in Ometria's preference centre."""
        account = self.sims.ometria.account
        centre.opt_in(account, centre.find(account, email=email), self.sim_clock.now())


def subscriber(play: Both, email: str = "ada@example.com") -> Customer:
    play.pass_time(60)
    who = play.person(email, "SUBSCRIBED")
    play.rest()
    assert play.mailable(email) == IN
    return who

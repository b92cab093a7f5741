"""Access scopes that the app lacks (https://shopify.dev/docs/api/usage/access-scopes)."""

from isthmus.checks.check import KEEP, OfShops
from isthmus.model.census import Facts
from isthmus.model.finding import Found, Level, Owner

_REMEDY = (
    "Release a version of the app with these scopes (isthmus app-config FILE prints it) and let the merchant accept "
    "them."
)


class Scopes(OfShops):
    code = "scopes"
    title = "Access scopes that the app lacks"

    def __init__(self, keep: int = KEEP) -> None:
        super().__init__(keep)
        self._missing: list[tuple[str, tuple[str, ...]]] = []
        self._mute: list[str] = []

    def facts(self, row: Facts) -> None:
        if row.missing_scopes:
            self._missing.append((row.store, row.missing_scopes))
        if not row.writes_consent:
            self._mute.append(row.store)

    def answer(self) -> list[Found]:
        return [*self._unread(), *self._unwritten()]

    def _unread(self) -> list[Found]:
        return [
            Found(
                code=self.code,
                level=Level.STOP,
                title=f"{self.title}: store {store}",
                what=f"Without {', '.join(missing)} part of the data cannot be read, or its changes are never told.",
                remedy=_REMEDY,
                owner=Owner.STORE,
                n=len(missing),
                unit="scopes",
            )
            for store, missing in self._missing
        ]

    def _unwritten(self) -> list[Found]:
        return [
            Found(
                code=self.code,
                level=Level.CARE,
                title=f"The app may not write consent: store {store}",
                what="Without write_customers an opt-out made in Ometria is never written to the shop, and the "
                "shop's own mails go on.",
                remedy=_REMEDY,
                owner=Owner.STORE,
                n=1,
                unit="scopes",
            )
            for store in self._mute
        ]

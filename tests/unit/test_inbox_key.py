"""Same key, same event: the key is stored for days, so it may never change from one version to the next."""

import pytest

from isthmus.inbox.key import delivery_key


def test_a_key_is_the_same_in_every_version() -> None:
    told = delivery_key("uk", "orders/create", "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043")
    assert told.hex() == "459fd7418c9c2a7f408faabc097cf105"


@pytest.mark.parametrize(
    "other",
    [("int", "orders/create", "1"), ("uk", "orders/updated", "1"), ("uk", "orders/create", "2"), ("", "uk", "1")],
)
def test_store_topic_and_id_all_tell_deliveries_apart(other: tuple[str, str, str]) -> None:
    assert delivery_key("uk", "orders/create", "1") != delivery_key(*other)

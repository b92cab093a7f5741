"""The connection file of CONTRACT section 4: what it may say, and how it is told what it may not."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from isthmus.connections import file
from isthmus.connections.config import ConnectionConfig
from isthmus.kit.config_errors import ConfigError

FULL = """
[connection]
name = "acme"
mode = "shadow"

[ometria]
base_url = "https://api.ometria.com/v2"
api_key = "env:ACME_OMETRIA_KEY"
hook_secret = "env:ACME_HOOK"
push_per_second = 4
read_per_second = 4
collection = "shopify"
reporting_currency = "GBP"
settle_after = "30s"
read_back = 0.01

[[stores]]
name = "uk"
domain = "acme-uk.myshopify.com"
admin_url = "https://acme-uk.myshopify.com"
api_version = "2026-10"
client_id = "0123abcd"
client_secret = "env:ACME_UK_SECRET"
previous_client_secret = "env:ACME_UK_OLD_SECRET"
access_token = "env:ACME_UK_TOKEN"
subscriptions = "app"
namespace = "uk:"
currency = "GBP"

[lanes]
enrichment_every = "15m"
poll_every = "5m"
abandoned_after = "30m"
event_max_age = "24h"
realtime_share = 0.7

[orders]
valid_when = "placed"
[consent]
authority = "newest"
force = "when_refused"
scope = "connection"
[mapping]
file = "acme.mapping.toml"
"""

LEAST = """
[connection]
name = "acme"
[ometria]
api_key = "env:ACME_OMETRIA_KEY"
[[stores]]
name = "uk"
domain = "acme-uk.myshopify.com"
client_id = "0123abcd"
client_secret = "env:ACME_UK_SECRET"
currency = "GBP"
"""

SECOND = """
[[stores]]
name = "int"
domain = "acme-int.myshopify.com"
client_id = "4567"
client_secret = "env:ACME_INT_SECRET"
namespace = "int:"
currency = "EUR"
"""


def read(folder: Path, text: str) -> ConnectionConfig:
    (folder / "acme.mapping.toml").write_text("")
    (folder / "acme.toml").write_text(text)
    return file.read_connection_file(folder / "acme.toml")


def refused(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        read(folder, text)
    line = str(raised.value)
    assert "\n" not in line
    assert line.startswith("acme.toml: ")
    return line.removeprefix("acme.toml: ")


def test_the_contracts_own_example_is_read(tmp_path: Path) -> None:
    config = read(tmp_path, FULL)
    assert config.name == "acme"
    assert not config.is_live
    assert config.store("uk").previous_client_secret == "env:ACME_UK_OLD_SECRET"
    assert config.lanes.event_max_age == timedelta(hours=24)
    assert config.mapping.file == "acme.mapping.toml"


def test_the_example_states_the_defaults(tmp_path: Path) -> None:
    full, least = read(tmp_path, FULL), read(tmp_path, LEAST)
    assert full.lanes == least.lanes
    assert full.orders == least.orders
    assert full.consent == least.consent
    given = {"hook_secret", "reporting_currency"}
    assert full.ometria.model_dump(exclude=given) == least.ometria.model_dump(exclude=given)
    assert full.stores[0].admin_url == least.stores[0].admin_url
    assert full.stores[0].api_version == least.stores[0].api_version


def test_a_stored_connection_is_read_back_as_it_was(tmp_path: Path) -> None:
    text = FULL + '[custom_events]\norder_shipped = false\norder_delivered = "arrived"\n[ometria.rates]\nEUR = 0.86\n'
    config = read(tmp_path, text)
    assert ConnectionConfig.model_validate_json(config.model_dump_json()) == config
    assert config.ometria.rates == {"EUR": Decimal("0.86")}


def test_every_secret_is_named_by_its_key(tmp_path: Path) -> None:
    assert read(tmp_path, FULL).secrets() == [
        ("ometria.api_key", "env:ACME_OMETRIA_KEY"),
        ("ometria.hook_secret", "env:ACME_HOOK"),
        ("stores[0].client_secret", "env:ACME_UK_SECRET"),
        ("stores[0].previous_client_secret", "env:ACME_UK_OLD_SECRET"),
        ("stores[0].access_token", "env:ACME_UK_TOKEN"),
    ]


def test_a_moment_has_a_name_of_its_own_or_is_off(tmp_path: Path) -> None:
    moments = '[custom_events]\norder_shipped = false\norder_delivered = "arrived"\norder_cancelled = true\n'
    config = read(tmp_path, LEAST + moments)
    assert config.custom_events.order_shipped is None
    assert config.custom_events.order_delivered == "arrived"
    assert config.custom_events.order_cancelled == "order_cancelled"
    assert config.custom_events.return_closed == "return_closed"


@pytest.mark.parametrize("written", ['"start_at = 2026-12-01"', "{ start_at = 2026-12-01 }"])
def test_a_takeover_may_begin_on_a_day(tmp_path: Path, written: str) -> None:
    config = read(tmp_path, LEAST.replace("[connection]", f"[connection]\ntakeover = {written}"))
    assert config.connection.start_at == date(2026, 12, 1)


def test_two_stores_live_side_by_side(tmp_path: Path) -> None:
    config = read(tmp_path, LEAST + SECOND)
    assert [store.name for store in config.stores] == ["uk", "int"]
    with pytest.raises(KeyError):
        config.store("fr")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("api_key", "apikey", "ometria.apikey is not a known key; did you mean ometria.api_key?"),
        ("[connection]", "[conection]", "conection is not a known key; did you mean connection?"),
        (
            'currency = "GBP"',
            'currncy = "GBP"',
            "stores[0].currncy is not a known key; did you mean stores[0].currency?",
        ),
        ('name = "acme"', 'name = "acme"\npoll_every = "5m"', "did you mean lanes.poll_every?"),
        ('name = "acme"', 'name = "acme"\nzzz = 1', "zzz is not a known key; known here: name, mode, takeover"),
    ],
)
def test_an_unknown_key_is_named_with_the_one_that_was_meant(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert said in refused(tmp_path, LEAST.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('currency = "GBP"', "", "stores[0].currency is missing; add currency = … (the shop's currency)"),
        ('client_id = "0123abcd"', "", "stores[0]: needs a client_id, the app's client id, or an access_token"),
        ('name = "acme"', 'name = "acme"\nmode = "dark"', "connection.mode: must be 'shadow' or 'live'"),
        ('name = "acme"', 'name = "Acme & Sons"', "connection.name: must be up to 40 lower-case letters"),
        ('name = "acme"', 'name = "acme"\ntakeover = "soon"', 'connection.takeover: must be "adopt_ids", "ignore" or'),
        ('currency = "GBP"', 'currency = "pounds"', 'stores[0].currency: must be a currency code such as "GBP"'),
        ('"acme-uk.myshopify.com"', '"https://acme.com/"', "stores[0].domain: must be the shop's permanent domain"),
        (
            'currency = "GBP"',
            'currency = "GBP"\napi_version = "latest"',
            "stores[0].api_version: must be a Shopify API",
        ),
        ('currency = "GBP"', 'currency = "GBP"\nnamespace = "a@b"', "stores[0].namespace: must be a short prefix"),
        ("[ometria]", '[ometria]\nbase_url = "http://api.ometria.com"', "ometria.base_url: must begin with https://"),
        ("[ometria]", '[ometria]\nbase_url = "https://u:p@h"', "ometria.base_url: must not carry a user or a password"),
        ("[ometria]", "[ometria]\nread_back = 2", "ometria.read_back: must be less than or equal to 1"),
        ("[ometria]", "[ometria]\npush_per_second = 0", "ometria.push_per_second: must be greater than 0"),
        ("[ometria]", '[ometria]\nsettle_after = "30"', 'ometria.settle_after: must be a duration such as "2s"'),
        ("[ometria]", '[ometria]\ncollection = "optin:sms"', "ometria.collection: must be letters"),
        (
            "[ometria]",
            '[custom_events]\norder_shipped = "' + "x" * 33 + '"\n[ometria]',
            "custom_events.order_shipped: must be a name",
        ),
        ("[ometria]", "lanes = 3\n[ometria]", "connection.lanes is not a known key"),
    ],
)
def test_a_wrong_value_is_named_with_what_it_must_be(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert said in refused(tmp_path, LEAST.replace(old, new, 1))


@pytest.mark.parametrize("key", ["api_key", "client_secret"])
def test_a_secret_in_the_clear_is_refused_and_not_repeated(tmp_path: Path, key: str) -> None:
    lines = [f'{key} = "shpss_hush"' if line.startswith(key) else line for line in LEAST.splitlines()]
    line = refused(tmp_path, "\n".join(lines))
    assert line.endswith(f'.{key}: is a secret in the clear or no reference; write "env:NAME" or "file:PATH" instead')
    assert "hush" not in line


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('name = "int"', 'name = "uk"', "name"),
        ("acme-int.myshopify.com", "acme-uk.myshopify.com", "domain"),
        ('namespace = "int:"', 'namespace = ""', "namespace"),
    ],
)
def test_stores_are_kept_apart(tmp_path: Path, old: str, new: str, key: str) -> None:
    line = refused(tmp_path, LEAST + SECOND.replace(old, new))
    assert line.startswith(f"stores[1].{key}: is also that of stores[0]; give each its own")


def test_a_connection_without_stores_is_refused(tmp_path: Path) -> None:
    without = LEAST[: LEAST.index("[[stores]]")]
    assert refused(tmp_path, without) == "stores is missing; add a section [[stores]]"
    assert refused(tmp_path, "stores = []\n" + without) == "stores is empty; add a section [[stores]]"


def test_a_file_that_is_no_toml_or_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    assert refused(tmp_path, "[connection").startswith("is no valid TOML: ")
    with pytest.raises(ConfigError, match=r"gone\.toml: cannot be read \(No such file or directory\); check the path"):
        file.read_connection_file(tmp_path / "gone.toml")


def test_the_simulators_may_be_spoken_to_in_the_clear(tmp_path: Path) -> None:
    config = read(tmp_path, LEAST.replace("[ometria]", '[ometria]\nbase_url = "http://127.0.0.1:9000/v2/"'))
    assert config.ometria.base_url == "http://127.0.0.1:9000/v2"

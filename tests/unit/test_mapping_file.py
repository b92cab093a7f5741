"""A mapping file is looked at whole, and what is wrong with it is told all at once, each with its line and key."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from isthmus.app.rules import metafield_rules
from isthmus.cli import app
from isthmus.connections import file, mapping_file
from isthmus.connections.custom import MOST
from isthmus.kit.config_errors import ConfigError
from isthmus.kit.toml_lines import Lines
from isthmus.mapping.rules import MetafieldRule, WriteMode

GOOD = """# what we send
[[metafields]]
owner = "customer"
namespace = "custom"
key = "skin_type"
type = "single_line_text_field"
property = "skin_type"

[[metafields]]
owner = "product"
namespace = "custom"
key = "material"
type = "list.single_line_text_field"
property = "material"
target = "attribute"

[[metafields]]
owner = "customer"
namespace = "loyalty"
key = "tiers"
type = "list.single_line_text_field"
property = "tiers"
mode = "append"
max_length = 80
"""

BAD = """[[metafields]]
owner = "costumer"
namespace = "custom"
key = "skin_type"
type = "single_line_text"
property = "skin type"

[[metafields]]
owner = "customer"
namespace = "$app:loyalty"
key = "points"
typ = "number_integer"
property = "points"

[[metafields]]   # a comment
owner = "customer"
namespace = "custom"
key = "vip"
type = "boolean"
property = "tags"
mode = "append"
max_length = 0

[[metafields]]
owner = "customer"
namespace = "custom"
key = "city"
type = "boolean"
property = "net_gbp"
"""

CONNECTION = """
[connection]
name = "acme"
[ometria]
api_key = "env:KEY"
[[stores]]
name = "uk"
domain = "acme-uk.myshopify.com"
client_id = "1"
client_secret = "env:SECRET"
currency = "GBP"
[mapping]
"""


def test_a_right_file_becomes_rules() -> None:
    checked = mapping_file.parse_mapping_file(GOOD)
    assert checked.wrong == ()
    text, many = "single_line_text_field", "list.single_line_text_field"
    assert metafield_rules(checked.fields) == (
        MetafieldRule("customer", "custom.skin_type", text, "skin_type"),
        MetafieldRule("product", "custom.material", many, "material", is_attribute=True),
        MetafieldRule("customer", "loyalty.tiers", many, "tiers", WriteMode.APPEND, 80),
    )


def test_everything_wrong_is_told_at_once_with_its_line() -> None:
    told = [(wrong.line, wrong.key) for wrong in mapping_file.parse_mapping_file(BAD).wrong]
    assert told == [
        (2, "metafields[0].owner"),
        (5, "metafields[0].type"),
        (6, "metafields[0].property"),
        (8, "metafields[1].type"),
        (10, "metafields[1].namespace"),
        (12, "metafields[1].typ"),
        (22, "metafields[2].max_length"),
        (29, "metafields[3].property"),
    ]


TIERS = 'namespace = "loyalty"\nkey = "tiers"'
OF_TIERS = 'owner = "customer"\nnamespace = "loyalty"'


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (('"skin_type"\ntype', '"material"\ntype'), None, ""),
        (('property = "tiers"', 'property = "skin_type"'), 22, "is also that of metafields[0]"),
        ((TIERS, 'namespace = "custom"\nkey = "Skin_Type"'), 20, "is mapped by metafields[0]"),
        (('property = "tiers"', 'property = "tags"'), 22, "tags is written by isthmus itself"),
        (('property = "tiers"', 'property = "net_gbp"'), 22, "is written by isthmus itself"),
        (('owner = "product"', 'owner = "customer"'), 15, "only products and variants have attributes"),
        (('property = "material"', 'property = "vendor"'), 14, "vendor is an attribute that isthmus writes itself"),
        (('"list.single_line_text_field"\nproperty = "tiers"', '"boolean"\nproperty = "tiers"'), 23, "append joins"),
        (('"single_line_text_field"', '"list.boolen"'), 6, "did you mean list.boolean?"),
        ((f"[[metafields]]\n{OF_TIERS}", f"[[metafield]]\n{OF_TIERS}"), 17, "did you mean metafields?"),
        (("max_length = 80", "max_length = 901"), 24, "less than or equal to 900"),
    ],
)
def test_each_mistake_names_its_line_and_the_fix(change: tuple[str, str], line: int | None, says: str) -> None:
    assert change[0] in GOOD
    wrong = mapping_file.parse_mapping_file(GOOD.replace(*change)).wrong
    if line is None:
        assert wrong == ()
        return
    assert [(one.line, says in one.says) for one in wrong] == [(line, True)], wrong


def test_no_toml_is_told_with_its_line() -> None:
    (wrong,) = mapping_file.parse_mapping_file('[[metafields]]\nowner = "customer"\nkey = oops\n').wrong
    assert (wrong.line, wrong.key) == (3, "")
    (wrong,) = mapping_file.parse_mapping_file('[[metafields]]\nowner = "').wrong
    assert wrong.line == 2


def test_so_many_of_one_owner_are_too_many() -> None:
    rows = [
        f'[[metafields]]\nowner = "variant"\nnamespace = "custom"\nkey = "f{n:03}"\ntype = "json"\nproperty = "f{n}"\n'
        for n in range(MOST + 1)
    ]
    (wrong,) = mapping_file.parse_mapping_file("\n".join(rows)).wrong
    assert wrong.key == f"metafields[{MOST}]"
    assert wrong.says == f"metafields[{MOST}]: at most {MOST} fields of one owner; take some out"


def test_keys_inside_long_texts_are_none() -> None:
    lines = Lines('a = """\nb = 1\n[[c]]\n"""\n[[c]]\n"d" = 1\nd.e = 2\n[c.f]\ng = 1\n')
    assert [lines.of(place) for place in (("a",), ("b",), ("c", 0), ("c", 0, "d"), ("c", 0, "z"))] == [1, 1, 5, 6, 5]


# In a connection ------------------------------------------------------------------------------------------------------


def test_its_content_comes_with_the_connection(tmp_path: Path) -> None:
    (tmp_path / "acme.mapping.toml").write_text(GOOD)
    (tmp_path / "acme.toml").write_text(f'{CONNECTION}file = "acme.mapping.toml"\n')
    config = file.read_connection_file(tmp_path / "acme.toml")
    assert [one.key for one in config.mapping.metafields] == ["skin_type", "material", "tiers"]
    assert type(config).model_validate(config.model_dump(mode="json")) == config, "it is stored and read back"


def test_a_wrong_file_is_told_by_the_first_of_its_mistakes(tmp_path: Path) -> None:
    (tmp_path / "acme.mapping.toml").write_text(BAD)
    (tmp_path / "acme.toml").write_text(f'{CONNECTION}file = "acme.mapping.toml"\n')
    with pytest.raises(ConfigError) as caught:
        file.read_connection_file(tmp_path / "acme.toml")
    assert str(caught.value).startswith("acme.mapping.toml:2: metafields[0].owner: must be 'customer', 'product'")
    assert "and 7 more: isthmus mapping check acme.mapping.toml" in str(caught.value)


def test_one_of_two_places(tmp_path: Path) -> None:
    (tmp_path / "acme.mapping.toml").write_text(GOOD)
    inline = GOOD.replace("[[metafields]]", "[[mapping.metafields]]")
    (tmp_path / "acme.toml").write_text(f'{CONNECTION}file = "acme.mapping.toml"\n{inline}')
    with pytest.raises(ConfigError, match="keep one of the two"):
        file.read_connection_file(tmp_path / "acme.toml")
    (tmp_path / "acme.toml").write_text(f"{CONNECTION}\n{inline}")
    assert len(file.read_connection_file(tmp_path / "acme.toml").mapping.metafields) == 3


def test_a_property_of_the_service_hold_is_taken(tmp_path: Path) -> None:
    (tmp_path / "acme.mapping.toml").write_text(GOOD)
    text = f'{CONNECTION}file = "acme.mapping.toml"\n[service_hold]\nname = "tiers"\n'
    (tmp_path / "acme.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"mapping.metafields\[2\].property: is also service_hold.name"):
        file.read_connection_file(tmp_path / "acme.toml")


def test_a_file_that_is_not_there_names_the_key(tmp_path: Path) -> None:
    (tmp_path / "acme.toml").write_text(f'{CONNECTION}file = "no.toml"\n')
    with pytest.raises(ConfigError, match=r"mapping\.file: there is no file of that name"):
        file.read_connection_file(tmp_path / "acme.toml")


# The command ----------------------------------------------------------------------------------------------------------


def test_check_shows_all_and_ends_with_2(tmp_path: Path) -> None:
    path = tmp_path / "acme.mapping.toml"
    path.write_text(BAD)
    done = CliRunner().invoke(app(), ["mapping", "check", str(path)])
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 8
    assert done.stderr.splitlines()[0].startswith("acme.mapping.toml:2: metafields[0].owner: must be")
    done = CliRunner().invoke(app(), ["mapping", "check", str(path), "--json"])
    assert done.exit_code == 2
    assert '"line": 2' in done.stdout
    path.write_text(GOOD)
    done = CliRunner().invoke(app(), ["mapping", "check", str(path)])
    assert (done.exit_code, "3 custom fields will be sent" in done.stdout) == (0, True)

import os
from datetime import timedelta
from pathlib import Path

import pytest

from isthmus.app.settings import Settings, load_settings
from isthmus.kit.config_errors import ConfigError
from isthmus.runtime import demo


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("ISTHMUS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def written(text: str) -> Path:
    path = Path("isthmus.toml")
    path.write_text(text)
    return path


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        load_settings(written(text))
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_without_a_file_everything_has_its_default() -> None:
    assert load_settings() == Settings()
    assert load_settings().database.address() is None


def test_a_file_that_was_asked_for_must_be_there() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(Path("other.toml"))


def test_the_file_in_the_working_folder_is_found() -> None:
    written('[web]\nhost = "::1"\n[retention]\nraw = "3d"\n')
    assert load_settings().web.host == "::1"
    assert load_settings().retention.raw == timedelta(days=3)


def test_the_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISTHMUS_WEB_PORT", "9090")
    monkeypatch.setenv("ISTHMUS_DATABASE_DATA_DIR", "/data")
    monkeypatch.setenv("ISTHMUS_RETENTION_KEYS", "8d")
    settings = load_settings(written('[web]\nport = 1\nhost = "h"\n'))
    assert (settings.web.port, settings.web.host) == (9090, "h")
    assert settings.database.data_dir == Path("/data")
    assert settings.retention.keys == timedelta(days=8)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[web]\nprot = 1", "isthmus.toml: web.prot is not a known key; did you mean web.port?"),
        ("[webb]\nport = 1", "isthmus.toml: webb is not a known key; did you mean web?"),
        ("port = 1", "isthmus.toml: port is not a known key; did you mean web.port?"),
        ("web = 1", "isthmus.toml: web: must be a section, [web]"),
        ('[web]\nport = "many"', "isthmus.toml: web.port: must be a valid integer"),
        ("[web]\nport = 70000", "isthmus.toml: web.port: must be less than or equal to 65535"),
        (
            '[retention]\nraw = "30 days"',
            'isthmus.toml: retention.raw: must be a duration such as "2s", "5m", "1h" or "7d"',
        ),
        ('[retention]\nkeys = "1d"', "isthmus.toml: retention.keys: must be at least 7d"),
        ('[retention]\nkeys = "999999999d"', "isthmus.toml: retention.keys: must be from 7d to 36500d"),
        ('[database]\nurl = "mysql://h/db"', 'isthmus.toml: database.url: must be "embedded", an address such as'),
        ('[log]\nlevel = "loud"', "isthmus.toml: log.level: must be 'debug', 'info', 'warning' or 'error'"),
        ('[security]\nhash_key = "hush"', "isthmus.toml: security.hash_key: is a secret in the clear or no reference;"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_with_key_and_fix(text: str, said: str) -> None:
    line = refused(text)
    assert line.startswith(said)
    assert "hush" not in line


def test_a_wrong_variable_is_named_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISTHMUS_WEB_PORT", "many")
    assert refused("") == "ISTHMUS_WEB_PORT: web.port: must be a valid integer"


def test_an_unknown_variable_of_a_section_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISTHMUS_WEB_PROT", "1")
    assert refused("") == "ISTHMUS_WEB_PROT: web.prot is not a known key; did you mean web.port?"


def test_a_misspelt_section_in_a_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISTHMUS_DATABSE_URL", "embedded")
    assert "did you mean ISTHMUS_DATABASE_URL?" in refused("")


def test_variables_that_resemble_no_section_are_somebody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISTHMUS_TEST_DIR", "/x")
    assert load_settings(written("")) == Settings()


def test_a_password_in_the_file_is_refused_and_not_repeated() -> None:
    line = refused('[database]\nurl = "postgresql://u:hush@h/db"')
    assert line == 'isthmus.toml: database.url holds a password in the clear; write "env:NAME" or "file:PATH"'


def test_an_address_that_is_none_is_told() -> None:
    assert refused('[database]\nurl = "postgresql://[x"').startswith("isthmus.toml: database.url: ")


def test_an_address_with_a_password_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(written('[database]\nurl = "env:DB_URL"'))
    assert settings.database.address({"DB_URL": "postgresql://u:hush@h/db"}) == "postgresql://u:hush@h/db"
    monkeypatch.setenv("ISTHMUS_DATABASE_URL", "postgresql://u:hush@h/db")
    settings = load_settings(written(""))
    assert settings.database.address() == "postgresql://u:hush@h/db"
    assert "hush" not in repr(settings)


def test_the_demo_forgets_every_setting_of_an_installation_and_nothing_else() -> None:
    environ = {"ISTHMUS_DATABASE_URL": "x", "isthmus_web_port": "1", "Isthmus_Future_Key": "2", "PATH": "/bin"}
    demo.forget_installation(environ)
    assert environ == {"PATH": "/bin"}

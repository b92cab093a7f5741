"""Settings that have no effect yet are named in the README, and leave that list the day they get one."""

import re

from house_tree import ROOT

from isthmus.app.settings import Settings
from isthmus.connections.config import ConnectionConfig

IDLE: tuple[str, ...] = ()
DEFINED = ("connections/", "app/settings.py", "runtime/reference.py", "cases/catalogue.py")


def used(key: str) -> list[str]:
    """Modules that read `section.key` of something."""
    source = ROOT / "src" / "isthmus"
    return [
        path.relative_to(source).as_posix()
        for path in sorted(source.rglob("*.py"))
        if not path.relative_to(source).as_posix().startswith(DEFINED)
        and re.search(rf"\b{re.escape(key)}\b", path.read_text(encoding="utf-8"))
    ]


def test_idle_settings_are_there_and_idle() -> None:
    fields = {**ConnectionConfig.model_fields, **Settings.model_fields}
    named = [key.split(".") for key in IDLE]
    assert [key for key in named if key[1] not in fields[key[0]].annotation.model_fields] == []
    assert [key for key in IDLE if used(key)] == [], "these have an effect now: take them out here and in the README"


def test_the_readme_names_them_all() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    told = re.search(r"have no effect yet: (.*?)\.\n", text, flags=re.DOTALL)
    assert (tuple(re.findall(r"`([a-z_.]+)`", told[1])) if told else ()) == IDLE


def test_a_setting_in_use_is_seen() -> None:
    assert used("retention")
    assert used("lanes.poll_every")

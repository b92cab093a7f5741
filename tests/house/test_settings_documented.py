"""Settings, their default file and their pages say the same."""

import os
import tomllib
from pathlib import Path

import pytest

from isthmus.app.settings import Settings, load_settings
from isthmus.connections.config import ConnectionConfig
from isthmus.connections.meaning import CustomEventsSection, Statuses
from isthmus.mapping.rules import CUSTOM_EVENTS, STATUSES
from isthmus.runtime import reference

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", sorted(reference.generated_pages()))
def test_generated_pages_are_up_to_date(name: str) -> None:
    there = (ROOT / name).read_text(encoding="utf-8")
    assert there == reference.generated_pages()[name], "run: .venv/bin/python -m isthmus.runtime.reference"


def test_the_default_file_is_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ISTHMUS_")]:
        monkeypatch.delenv(name)
    assert load_settings(ROOT / "isthmus.default.toml") == Settings()


def test_every_key_stands_in_the_default_file_with_an_explanation() -> None:
    text = (ROOT / "isthmus.default.toml").read_text(encoding="utf-8")
    assert set(tomllib.loads(text)) == set(Settings.model_fields)
    lines = text.splitlines()
    for section in Settings.model_fields.values():
        assert section.annotation is not None
        for key, field in section.annotation.model_fields.items():
            at = [n for n, line in enumerate(lines) if line.removeprefix("# ").startswith(f"{key} =")]
            assert at, key
            assert lines[at[0] - 1].startswith("# "), key
            assert field.description, key


def test_every_key_of_a_connection_is_explained() -> None:
    for title, section in reference._tables(ConnectionConfig):
        for key, field in section.model_fields.items():
            is_table = reference._model(field.annotation) is not None
            assert field.description or is_table, f"{title} {key}"


def test_the_names_of_moments_and_statuses_are_those_of_the_mapping() -> None:
    assert tuple(CustomEventsSection.model_fields) == CUSTOM_EVENTS
    assert tuple(Statuses.model_fields) == STATUSES

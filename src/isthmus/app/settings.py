"""The settings of a process: isthmus.toml, every key of which ISTHMUS_<SECTION>_<KEY> overrides."""

import os
import re
from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from isthmus.app import notification_targets
from isthmus.connections.fields import Duration, Section, Url, duration_at_least
from isthmus.connections.file import read_toml
from isthmus.connections.secrets import Reference, is_reference, resolve_secret
from isthmus.kit.config_errors import ConfigError, closest_name, first_error
from isthmus.kit.duration import parse_duration

FILE = Path("isthmus.toml")
PREFIX = "ISTHMUS_"
EMBEDDED = "embedded"

_PASSWORD = re.compile(r"//[^/@]*:[^/@]*@|[?&]password=")


def _database_url(value: str) -> str:
    if value == EMBEDDED or is_reference(value):
        return value
    if urlsplit(value).scheme not in ("postgresql", "postgres"):
        raise ValueError(
            'must be "embedded", an address such as "postgresql://user@host/db", "env:NAME" or "file:PATH"'
        )
    return value


def _listed(value: Any) -> Any:
    """Several addresses may be written as a list, or as one text with commas between them."""
    is_list = isinstance(value, list) and all(isinstance(one, str) for one in value)
    return ", ".join(value) if is_list else value


def _notify_urls(value: str) -> str:
    for one in notification_targets.split_targets(value):
        if not is_reference(one):
            notification_targets.check_target(one)
            if urlsplit(one).password:
                raise ValueError('holds a password in the clear; write "env:NAME" or "file:PATH"')
    if not notification_targets.split_targets(value):
        raise ValueError("is empty; leave it out to tell nobody")
    return value


def _folder(value: Any) -> Any:
    if isinstance(value, str) and not (value.strip() and value.isprintable()):
        raise ValueError("must be the name of a folder")
    return value


Pause = Annotated[Duration, duration_at_least("1d")]


class DatabaseSettings(Section):
    """Database."""

    url: Annotated[str, AfterValidator(_database_url)] = Field(
        default=EMBEDDED,
        repr=False,
        description='"embedded" for a server of our own, or postgresql://user@host/db (version 15 or newer). An address'
        " with a password belongs in the environment or a file: env:NAME, file:PATH",
    )
    data_dir: Annotated[Path, BeforeValidator(_folder)] = Field(
        default=Path(".isthmus"), description="where the embedded server keeps its files"
    )
    pool_size: int = Field(default=8, ge=2, le=200, description="connections that each process keeps at most")

    def address(self, environ: Mapping[str, str] = os.environ) -> str | None:
        """The address of the server, None for the embedded one."""
        if self.url == EMBEDDED:
            return None
        return resolve_secret(self.url, "database.url", environ).reveal() if is_reference(self.url) else self.url


class WebSettings(Section):
    """Webhooks, health and the dashboard."""

    host: str = Field(default="127.0.0.1", description="address to listen on; 0.0.0.0 for every interface")
    port: int = Field(default=8080, ge=0, le=65535, description="port to listen on")
    public_url: Url | None = Field(
        default=None, description="the address that Shopify reaches us by; needed for webhook subscriptions"
    )


class WorkerSettings(Section):
    """Workers."""

    processes: int = Field(default=1, ge=1, le=64, description="worker processes that serve and work start")
    threads: int = Field(default=4, ge=1, le=64, description="drains that one worker process runs side by side")


class BackfillSettings(Section):
    """Loading history."""

    spool_dir: Annotated[Path | None, BeforeValidator(_folder)] = Field(
        default=None,
        description="where the results of bulk operations lie while they go in, readable by their owner alone and"
        " removed when they are in; about 6 KB for each order. By default `spool` in database.data_dir",
    )


class RetentionSettings(Section):
    """How long what grows is kept."""

    raw: Pause = Field(default=parse_duration("30d"), description="raw webhook bodies")
    events: Pause = Field(default=parse_duration("90d"), description="events without their bodies")
    keys: Annotated[Duration, duration_at_least("7d")] = Field(
        default=parse_duration("7d"), description="the memory that makes a repeated delivery free; at least 7d"
    )
    attempts: Pause = Field(
        default=parse_duration("30d"), description="what was tried for each record, and how it went"
    )
    cases: Pause = Field(default=parse_duration("400d"), description="resolved cases")


class NotifySettings(Section):
    """Notifications."""

    url: Annotated[str, BeforeValidator(_listed), AfterValidator(_notify_urls)] | None = Field(
        default=None,
        repr=False,
        description="where changes of state and the daily digest are sent: https:// (a JSON message by POST), mailto:,"
        " smtp:// or smtps:// with ?to=; several as a list; env:NAME or file:PATH where the address itself is a secret",
    )
    least: Literal["urgent", "high", "normal", "low"] = Field(
        default="low", description="the least severity of cases that are notified at once; the digest has them all"
    )
    digest_at: time = Field(default=time(7, 0), description="when the daily digest is sent, in UTC")


class LogSettings(Section):
    """What processes say on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="the least that is logged")
    format: Literal["auto", "console", "json"] = Field(
        default="auto", description="console lines, JSON lines, or console on a terminal and JSON elsewhere"
    )


class ClockSettings(Section):
    """The one clock of all processes."""

    follow: Url | None = Field(
        default=None, description="address of a simulator whose clock is followed; only for tests and the demo"
    )


class SecuritySettings(Section):
    """Security."""

    hash_key: Reference | None = Field(
        default=None,
        description="key of the hashes that name people, as env:NAME or file:PATH; by default the database's own. It"
        " can never be changed",
    )


class Settings(BaseSettings):
    """Everything; an unknown key anywhere is an error."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="_",
        env_nested_max_split=1,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    database: DatabaseSettings = DatabaseSettings()
    web: WebSettings = WebSettings()
    workers: WorkerSettings = WorkerSettings()
    backfill: BackfillSettings = BackfillSettings()
    retention: RetentionSettings = RetentionSettings()
    notify: NotifySettings = NotifySettings()
    log: LogSettings = LogSettings()
    clock: ClockSettings = ClockSettings()
    security: SecuritySettings = SecuritySettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the interface's own
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment before the file, and nothing else."""
        return (EnvSettingsSource(settings_cls), init_settings)


def load_settings(path: Path | None = None) -> Settings:
    """The settings of a file and the environment; without a path isthmus.toml, which need not be there.

    Raises ConfigError, one line that names the key and the fix.
    """
    tables = read_toml(path or FILE) if path is not None or FILE.exists() else {}
    _refuse_password(tables, path or FILE)
    _refuse_misspelt_section(os.environ)
    try:
        return Settings(**tables)
    except ValidationError as error:
        problem = first_error(error, Settings)
        overridden = variable_name(*problem.key.split(".", 1))
        raise problem.at(overridden if overridden in os.environ else (path or FILE).name) from None


def variable_name(section: str, key: str = "") -> str:
    """The environment variable that overrides a key."""
    return f"{PREFIX}{section}_{key}".rstrip("_").upper()


def _refuse_password(tables: Mapping[str, Any], path: Path) -> None:
    """A file is copied and committed; what stands in the clear there is no secret any more."""
    database = tables.get("database")
    url = database.get("url") if isinstance(database, Mapping) else None
    if isinstance(url, str) and _PASSWORD.search(url):
        raise ConfigError(f'{path.name}: database.url holds a password in the clear; write "env:NAME" or "file:PATH"')


def _refuse_misspelt_section(environ: Mapping[str, str]) -> None:
    """ISTHMUS_DATABSE_URL would be overlooked for ever. Names that resemble no section are somebody else's."""
    sections = list(Settings.model_fields)
    for name in sorted(environ):
        section = name.removeprefix(PREFIX).lower().partition("_")[0]
        if not name.startswith(PREFIX) or section in sections:
            continue
        if near := closest_name(section, sections):
            meant = name.upper().replace(f"{PREFIX}{section.upper()}", f"{PREFIX}{near.upper()}")
            raise ConfigError(f"environment: {name} is not a known setting; did you mean {meant}?")

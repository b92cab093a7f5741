"""Read a connection from its TOML file."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from isthmus.connections import mapping_file
from isthmus.connections.config import ConnectionConfig
from isthmus.kit.config_errors import ConfigError, first_error


def read_connection_file(path: Path) -> ConnectionConfig:
    """The connection that a file describes; ConfigError in one line that names the key and the fix.

    What a mapping file says comes with it, since what is stored is read on other machines.
    """
    config = parse_connection(read_toml(path), path.name)
    if config.mapping.file is None:
        return config
    if config.mapping.metafields:
        raise ConfigError(
            f"{path.name}: mapping.file: there are [[mapping.metafields]] here too; keep one of the two", "mapping.file"
        )
    absolute = (path.parent / config.mapping.file).resolve()
    if not _is_there(absolute):
        raise ConfigError(
            f"{path.name}: mapping.file: there is no file of that name beside it; write it, or leave the key out",
            "mapping.file",
        )
    fields = mapping_file.read_mapping_file(absolute)
    whole = config.model_copy(update={"mapping": config.mapping.model_copy(update={"metafields": fields})})
    return parse_connection(whole.model_dump(), path.name)


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file can have
        return False


def parse_connection(data: dict[str, Any], source: str) -> ConnectionConfig:
    """The connection in already parsed TOML; `source` is what errors call it."""
    try:
        return ConnectionConfig.model_validate(data)
    except ValidationError as error:
        raise first_error(error, ConnectionConfig).at(source) from None


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file, numbers with a fraction as Decimals."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        # Its words name a place and at most one character, never a value.
        raise ConfigError(f"{path.name}: is no valid TOML: {error}") from None

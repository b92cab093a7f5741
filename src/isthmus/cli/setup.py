"""What is done once, or at an upgrade: migrate, app-config, version."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.installation import Config, Json, open_app


def register(app: typer.Typer) -> None:
    app.command("migrate")(migrate)
    app.command("app-config", help=APP_CONFIG)(app_config)
    app.command("version")(version)


def migrate(json: Json = False, config: Config = None) -> None:
    """Bring the database to this version. One process at a time, each migration whole or not at all."""
    from isthmus.app import schema
    from isthmus.cli import show

    with open_app(config, makes=True) as app:
        applied, now_at = schema.migrate_database(app)
    if json:
        show.print_json({"applied": applied, "version": now_at})
    else:
        for name in applied:
            show.make_lines(f"applied {name}")
        show.make_lines(f"The database is at schema {now_at}.")


APP_CONFIG = """Print a shopify.app.toml for the merchant's app, made from a connection file.

It asks for the scopes isthmus needs and subscribes to every topic it understands, the three privacy topics included.

\b
isthmus app-config acme.toml --url https://isthmus.acme.com > shopify.app.toml
isthmus app-config acme.toml --store uk
"""


def app_config(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The connection file.")],
    store: Annotated[str | None, typer.Option(metavar="NAME", help="Which store's app; the first without it.")] = None,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where Shopify reaches us; web.public_url without it.")
    ] = None,
    app_name: Annotated[str, typer.Option("--name", help="What the app is called.")] = "isthmus",
    json: Json = False,
    config: Config = None,
) -> None:
    from isthmus.app.settings import load_settings
    from isthmus.cli import show
    from isthmus.connections import file as files
    from isthmus.kit.config_errors import ConfigError
    from isthmus.shopify.appconfig import AppConfig, render_app_config
    from isthmus.web.server import SHOPIFY_HOOK

    found = files.read_connection_file(file)
    chosen = found.stores[0]
    if store is not None:
        names = [one.name for one in found.stores]
        if store not in names:
            raise ConfigError(f"--store: there is no store {store!r} in {file.name}; there are: {', '.join(names)}")
        chosen = found.store(store)
    address = url or load_settings(config).web.public_url
    if address is None:
        raise ConfigError("web.public_url: is not set; set it, or say --url https://… where Shopify reaches isthmus")
    address = address.rstrip("/")
    text = render_app_config(
        AppConfig(
            name=app_name,
            client_id=chosen.client_id or "",
            url=address,
            hook_url=address + SHOPIFY_HOOK,
            api_version=chosen.api_version,
        )
    )
    if json:
        show.print_json({"store": chosen.name, "shopify_app_toml": text})
    else:
        print(text, end="")


def version(json: Json = False) -> None:
    """Which isthmus this is, and the schema its database needs."""
    from importlib import metadata

    from isthmus.app import schema
    from isthmus.cli import show

    told = {"isthmus": metadata.version("isthmus"), "schema": schema.required_version()}
    if json:
        show.print_json(told)
    else:
        show.make_lines(f"isthmus {told['isthmus']}, schema {told['schema']}")

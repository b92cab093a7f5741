"""Preview a mapping file on a stored connection, with settings resolved."""

from collections.abc import Callable, Sequence

import msgspec

from isthmus.app.context import App
from isthmus.app.rules import metafield_rules
from isthmus.commands.reconcile import PATIENCE, RESERVE
from isthmus.connections.custom import CustomField
from isthmus.flows.preview import MappingPreview
from isthmus.flows.preview import preview_mapping as look
from isthmus.shopify.reads import Reads


def preview_mapping(
    app: App,
    name: str,
    fields: Sequence[CustomField],
    *,
    sample: int | None,
    is_plain: bool,
    tell: Callable[[str, str, int], None],
) -> MappingPreview:
    """What these custom fields would change, with readers that leave a shop's points to the pipeline."""
    context, connected = app.context(name), app.connected(name)
    shops = {}
    for n, store in enumerate(connected.config.stores):
        shop = context.shops[store.name]
        rules = msgspec.structs.replace(shop.rules, metafields=metafield_rules(fields))
        reader = Reads(app.shopify(connected, n, patience=PATIENCE, reserve=RESERVE), rules.keys)
        shops[store.name] = msgspec.structs.replace(shop, rules=rules, reader=reader)
    then = msgspec.structs.replace(context, shops=shops)
    return look(app.db, context, then, sample=sample, is_plain=is_plain, tell=tell)

"""Custom fields of the shop as custom properties of Ometria, by the rules of a mapping file."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from isthmus.mapping.rules import MetafieldRule, Rules, WriteMode
from isthmus.model.metafield import Form, Metafield
from isthmus.model.shared_property import UNHELD, SharedProperty
from isthmus.ometria import wire

SEPARATOR = ","
"""Between the values of a list, as tags are written: a custom field of Ometria is one text."""


class Custom(Struct, frozen=True):
    """What becomes of a record's custom fields. A property of None is to be cleared.

    `ours` is our own part of those properties that others may write too.
    """

    properties: Mapping[str, object]
    ours: Mapping[str, object]
    n_cut: int = 0


class TypeMismatch(Struct, frozen=True):
    """A field that is not what the mapping file says it is: nothing is sent for it."""

    key: str
    expected: str
    found: str


def map_properties(told: Sequence[Metafield] | None, owner: str, rules: Rules, held: SharedProperty = UNHELD) -> Custom:
    """The properties of a record of this owner, in the order of the mapping file.

    A field that was never read or never there is left out, as is one of another type; one that is gone clears the
    property. What the modes other than overwrite do, `_kept` says; what they leave alone is said as it was last read.
    """
    made: dict[str, object] = {}
    ours: dict[str, object] = {}
    n_cut = 0
    for entry, field in _mapped(told, owner, rules):
        if entry.is_attribute or is_type_mismatch(entry, field):
            continue
        value, n = _value(entry, field, rules)
        n_cut += n
        if entry.mode is WriteMode.OVERWRITE:
            if value is not None or field.was_there:
                made[entry.name] = value
        elif (kept := _kept(entry, value, held)) is not None:
            made[entry.name], ours[entry.name] = kept
        elif not is_empty(there := (held.theirs or {}).get(entry.name)):
            made[entry.name] = there  # a push replaces the whole record, so what is left alone must be said again
    return Custom(made, ours, n_cut)


def map_attributes(told: Sequence[Metafield] | None, owner: str, rules: Rules) -> Iterable[wire.Attribute]:
    """The fields of a product that segments and recommendations see: one attribute for each value."""
    for entry, field in _mapped(told, owner, rules):
        if entry.is_attribute and not is_type_mismatch(entry, field):
            for text in _texts(entry, field, rules)[0]:
                yield wire.Attribute(entry.name, text.casefold(), text)


def type_mismatches(told: Sequence[Metafield] | None, owner: str, rules: Rules) -> list[TypeMismatch]:
    """The fields of a record that are of another type than the mapping file expects, or cannot be read as theirs."""
    return [
        TypeMismatch(entry.key, entry.type, field.type or "")
        for entry, field in _mapped(told, owner, rules)
        if is_type_mismatch(entry, field)
    ]


def is_type_mismatch(entry: MetafieldRule, field: Metafield) -> bool:
    return field.type is not None and (field.type != entry.type or field.form is None)


def own_values(before: SharedProperty, own: Custom, sent: Mapping[str, object]) -> dict[str, object] | None:
    """What we asked a record to hold in properties that are not ours alone, with this body; None while it is as before.

    What the body leaves out was not taken back: it is still ours, if it is there.
    """
    after = dict(before.ours)
    for name, value in own.ours.items():
        if name not in sent:
            continue  # it was cut
        if value is None:
            after.pop(name, None)
        else:
            after[name] = value
    return None if after == before.ours else after


def _mapped(told: Sequence[Metafield] | None, owner: str, rules: Rules) -> Iterable[tuple[MetafieldRule, Metafield]]:
    by_key = {field.key: field for field in told or ()}
    for entry in rules.metafields:
        if entry.owner == owner and (field := by_key.get(entry.key)) is not None:
            yield entry, field


# Modes ---------------------------------------------------------------------------------------------------------------


def _kept(entry: MetafieldRule, value: object, held: SharedProperty) -> tuple[object, object] | None:
    """What to say where somebody else may have written, and which part of it is ours; None to leave the property alone.

    if_new: what the record was made with. if_empty: what the shop says. Both only while nobody else put anything there.
    append: what others put there, and behind it what the shop says. A record that was sent and never looked at since is
    left alone, but for what we put there ourselves.
    """
    was = held.ours.get(entry.name)
    theirs = (held.theirs or {}).get(entry.name)
    if entry.mode is not WriteMode.APPEND and not is_empty(theirs):
        return None
    if entry.mode is WriteMode.IF_NEW:
        if was is not None:
            return was, was
        return None if value is None or held.is_sent or held.theirs is not None else (value, value)
    if was is None and (value is None or (held.is_sent and held.theirs is None)):
        return None
    if entry.mode is WriteMode.IF_EMPTY:
        return value, value
    others = _parts(theirs)
    ours = [part for part in _parts(value) if part not in others]
    return SEPARATOR.join(others + ours) or None, SEPARATOR.join(ours) or None


def foreign_values(there: object, ours: object, mode: WriteMode) -> object:
    """What others put into a property that holds this, where our own part of it was that; None where they did not."""
    if mode is WriteMode.APPEND:
        mine = _parts(ours)
        return SEPARATOR.join(part for part in _parts(there) if part not in mine) or None
    return None if is_empty(there) or _is_same(there, ours) else there


def is_empty(value: object) -> bool:
    return value is None or value in ("", [])


def _is_same(there: object, ours: object) -> bool:
    """However Ometria writes it: numbers may come back as text and the other way round."""
    if isinstance(there, bool) or isinstance(ours, bool):
        return str(there).lower() == str(ours).lower()
    return there == ours or str(there) == str(ours)


def _parts(value: object) -> list[str]:
    if value is None:
        return []
    parts = value if isinstance(value, list) else str(value).split(SEPARATOR)
    return [text for part in parts if (text := str(part).strip())]


# Values --------------------------------------------------------------------------------------------------------------


def _value(entry: MetafieldRule, field: Metafield, rules: Rules) -> tuple[object, int]:
    """A field as a property has it, None where there is nothing; and how many values were cut."""
    if not field.is_list and entry.mode is not WriteMode.APPEND and len(field.values) == 1:
        match field.form:
            case Form.NUMBER:
                return Decimal(field.values[0]), 0
            case Form.FLAG:
                return field.values[0] == "true", 0
    texts, n_cut = _texts(entry, field, rules)
    return SEPARATOR.join(texts) or None, n_cut


def _texts(entry: MetafieldRule, field: Metafield, rules: Rules) -> tuple[list[str], int]:
    """The values as texts within the entry's length: the last of a list go first, a single text loses its end."""
    texts = [text for one in field.values if (text := _text(one, field.form, rules).strip())]
    if entry.room is None:
        return texts, 0
    n_cut = 0
    while len(texts) > 1 and len(SEPARATOR.join(texts)) > entry.room:
        texts.pop()
        n_cut += 1
    if texts and len(texts[0]) > entry.room:
        return [texts[0][: entry.room].rstrip()], n_cut + 1
    return texts, n_cut


def _text(value: str, form: Form | None, rules: Rules) -> str:
    """A value as text. A product or variant is named as Ometria knows it."""
    if form is not Form.REFERENCE:
        return value
    kind, _, number = value.partition("/")
    return rules.id_of("product", number) if kind in ("Product", "ProductVariant") else value

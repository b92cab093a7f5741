"""One request made of many: the one field of each operation, repeated under aliases with a variable of its own.

Root fields of a mutation run one after the other, in the order they are written
(https://spec.graphql.org/October2021/#sec-Mutation).
"""

import re
from collections.abc import Sequence

from isthmus.shopify.documents import Document

_OPERATION = r"(?:mutation|query) {name}\(\$input: (\w+!)\) \{{\n  answer: (.+)\n\}}"
_FRAGMENT = re.compile(r"^fragment (\w+) .*?^\}\n", re.MULTILINE | re.DOTALL)


class BatchedOperations(Document, frozen=True):
    """Many operations as one; its text stands in no file."""

    content: str = ""

    @property
    def text(self) -> str:
        return self.content


def batch_operations(parts: Sequence[Document], verb: str) -> BatchedOperations:
    """The operations of `parts` as one, of one file and all of them of one `verb` ("query", "mutation").

    The first answers as `a0` and takes `$i0`, the second `a1` and `$i1`. Values stand in variables only, never in the
    text.
    """
    taken, fields = [], []
    for n, part in enumerate(parts):
        kind, field = _one(part)
        taken.append(f"$i{n}: {kind}")
        fields.append(f"  a{n}: {field.replace('$input', f'$i{n}')}\n")
    body = "".join(fields)
    fragments = [found[0] for found in _FRAGMENT.finditer(parts[0].text) if f"...{found[1]} " in body]
    content = f"{verb} Several({', '.join(taken)}) {{\n{body}}}\n{''.join(fragments)}"
    return BatchedOperations(parts[0].file, "Several", sum(part.cost for part in parts), content=content)


def _one(document: Document) -> tuple[str, str]:
    found = re.search(_OPERATION.format(name=document.operation), document.text)
    if found is None:
        raise ValueError(f"{document.operation} has more than one field, or another variable than $input")
    return found[1], found[2]

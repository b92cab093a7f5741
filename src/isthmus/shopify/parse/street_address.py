"""What is kept of a street: the number of the house, and never the street itself."""

import re

_NUMBER = re.compile(r"(?<![\w])\d{1,5}\s?[a-z]?(?![\w])", re.IGNORECASE)


def house_number(line: str | None) -> str | None:
    """`221b` of "221B Baker Street" or "Torstraße 221 b"; None where no number stands alone."""
    found = _NUMBER.search(line) if line else None
    return found[0].replace(" ", "").lower() if found else None

"""Show enough of an address or a number to recognise it, and not enough to use it."""


def mask_email(address: str | None) -> str:
    """`j***@e***.com` for joan@example.com; empty for none."""
    if not address or not address.strip():
        return ""
    local, at, host = address.strip().rpartition("@")
    if not at:
        return f"{address.strip()[:1]}*** (no @)"
    name, dot, top = host.rpartition(".")
    return f"{local[:1]}***@{name[:1] if dot else host[:1]}***{dot}{top if dot else ''}"


def mask_phone(number: str | None) -> str:
    """`+44***12` for +447700900112; empty for none."""
    digits = "".join(letter for letter in number or "" if letter.isdigit())
    if len(digits) < 6:
        return "***" if digits else ""
    plus = "+" if (number or "").strip().startswith("+") else ""
    return f"{plus}{digits[:2]}***{digits[-2:]}"

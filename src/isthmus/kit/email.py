"""When two spellings of an address are the same address."""


def normalise_email(email: str | None) -> str | None:
    """Lower-cased and trimmed; None for anything that cannot be an address.

    Dots and plus tags are left alone: whether they matter is the mail host's business, and merging two people by a
    guess cannot be undone.
    """
    if email is None:
        return None
    trimmed = email.strip().lower()
    local, at, host = trimmed.rpartition("@")
    return trimmed if at and local and "." in host and " " not in trimmed else None

"""When two spellings of a phone number are the same number: when their E.164 form is."""

import phonenumbers


def to_e164(number: str | None, country_code: str | None) -> str | None:
    """`+447700900112`, or None for what is no number; the country is a hint for numbers without a prefix.

    A number that is digits behind a plus is believed, as that is how Shopify keeps them.
    """
    if not number:
        return None
    text = number.strip()
    if text.startswith("+") and text[1:].isascii() and text[1:].isdigit():
        return text if 8 <= len(text) <= 16 else None
    try:
        parsed = phonenumbers.parse(text, country_code.upper() if country_code else None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))

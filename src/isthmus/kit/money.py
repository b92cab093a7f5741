"""Money as decimals, rounded the way each currency is."""

from decimal import ROUND_HALF_UP, Decimal

ZERO = Decimal(0)

# ISO 4217 currencies whose smallest unit is not a hundredth.
_PLACES = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        Decimal(1),
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), Decimal("0.001")),
}
_CENT = Decimal("0.01")


def smallest_unit(currency: str) -> Decimal:
    """The smallest amount of a currency, 0.01 for most."""
    return _PLACES.get(currency, _CENT)


_NIL = {smallest: ZERO.quantize(smallest) for smallest in (_CENT, *_PLACES.values())}


def zero_amount(currency: str) -> Decimal:
    """Zero with the decimals of a currency: 0.00 for most."""
    return _NIL[_PLACES.get(currency, _CENT)]


def quantize(amount: Decimal, currency: str) -> Decimal:
    return amount.quantize(_PLACES.get(currency, _CENT), ROUND_HALF_UP)


def from_mills(mills: int) -> str:
    """Thousandths as a decimal text: 12.50, or with three places where they are needed."""
    value = Decimal(mills).scaleb(-3)
    return str(value if mills % 10 else value.quantize(_CENT))

"""Money as Antom counts it: whole minor units and an ISO 4217 code (docs/antom.md#amounts)."""

import re
from decimal import Decimal
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

# Antom's own list first: IDR and TWD have two decimals there, whatever is used in daily life.
# The rest follows ISO 4217. A currency missing here can be sent in minor units, but not
# written in major ones: a guessed decimal point is a refund of a hundred times the money.
_TWO_DECIMALS: Final = (
    "AUD BDT BRL CAD CNY EUR GBP HKD IDR MXN MYR NZD PEN PHP PKR PLN SGD THB TWD USD "
    "AED ARS BGN CHF COP CZK DKK EGP HUF ILS INR KES KZT LKR MOP NGN NOK NPR QAR RON SAR SEK "
    "TRY UAH ZAR"
)
_NO_DECIMALS: Final = "CLP JPY KRW VND ISK PYG UGX XAF XOF"
_DECIMALS: Final = dict.fromkeys(_TWO_DECIMALS.split(), 2) | dict.fromkeys(_NO_DECIMALS.split(), 0)

_WRITTEN: Final = re.compile(
    r"(?P<whole>[0-9]+)(?:\.(?P<fraction>[0-9]+))?\s*(?P<currency>[A-Z]{3})"
)
_DIGITS_MAX: Final = 16
_QUOTED_MAX: Final = 60

_WRITTEN_MINOR: Final = re.compile(r"(?P<minor>[0-9]{1,16}) minor (?P<currency>[A-Z]{3})")

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class Money(BaseModel):
    """An amount of one currency.

    `minor` counts the currency's smallest unit as Antom defines it: 12.50 EUR is 1250,
    100 JPY is 100, 1 IDR is 100. At most 16 digits (docs/antom.md#amounts).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: Currency
    minor: Annotated[int, Field(strict=True, ge=0, lt=10**_DIGITS_MAX)]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Money as people write it: "12.50 EUR", "100JPY", or "1250 minor EUR".

        Raises ValueError, with a sentence for people, for any other form, for a currency whose
        decimals are not known here, for more decimals than the currency has and for too many
        digits. Decimals count as written: "12.500 EUR" may be somebody's twelve thousand.
        """
        if minor := _WRITTEN_MINOR.fullmatch(text.strip()):
            return cls(currency=minor["currency"], minor=int(minor["minor"]))
        written = _WRITTEN.fullmatch(text.strip())
        if written is None:
            raise ValueError(f"{_quoted(text)} is not an amount: write it like '12.50 EUR'")
        currency = written["currency"]
        if currency not in _DECIMALS:
            raise ValueError(
                f"the decimals of {currency} are not known: write minor units, "
                f"like '1250 minor {currency}'"
            )
        decimals, fraction = _DECIMALS[currency], written["fraction"] or ""
        if len(fraction) > decimals:
            raise ValueError(f"{currency} has {decimals} decimals, not more: {_quoted(text)}")
        digits = (written["whole"] + fraction.ljust(decimals, "0")).lstrip("0")
        if len(digits) > _DIGITS_MAX:
            raise ValueError(f"an amount has at most {_DIGITS_MAX} digits at Antom")
        return cls(currency=currency, minor=int(digits or "0"))

    def __str__(self) -> str:
        """The amount for people: "12.50 EUR"; minor units where the decimals are unknown."""
        decimals = _DECIMALS.get(self.currency)
        if decimals is None:
            return f"{self.minor} minor {self.currency}"
        return f"{Decimal(self.minor).scaleb(-decimals):.{decimals}f} {self.currency}"


def _quoted(text: str) -> str:
    """What was written, in a length that fits into a sentence."""
    return repr(text if len(text) <= _QUOTED_MAX else text[:_QUOTED_MAX] + "...")

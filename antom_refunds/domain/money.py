"""Money as Antom represents it: minor units and an ISO 4217 code (docs/antom.md#amounts)."""

import re
from decimal import Decimal
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

# Antom's own list comes first: it defines two decimals for IDR and TWD, unlike everyday use.
# The rest follows ISO 4217. Amounts in any other currency are accepted in minor units only:
# a wrong guess at the decimals would refund a hundred times the amount.
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
        """Parse "12.50 EUR", "100JPY" or "1250 minor EUR".

        Raises ValueError, with a readable message, for any other form, for a currency whose
        decimals are not listed here, for more decimals than the currency has and for too many
        digits. "12.500 EUR" is rejected because it could mean twelve thousand five hundred.
        """
        if minor := _WRITTEN_MINOR.fullmatch(text.strip()):
            return cls(currency=minor["currency"], minor=int(minor["minor"]))
        written = _WRITTEN.fullmatch(text.strip())
        if written is None:
            raise ValueError(f"{_quoted(text)} is not an amount: write it like '12.50 EUR'")
        currency = written["currency"]
        if currency not in _DECIMALS:
            raise ValueError(
                f"the number of decimals of {currency} is unknown: write minor units, "
                f"like '1250 minor {currency}'"
            )
        decimals, fraction = _DECIMALS[currency], written["fraction"] or ""
        if len(fraction) > decimals:
            raise ValueError(f"{currency} has {decimals} decimals, not more: {_quoted(text)}")
        digits = (written["whole"] + fraction.ljust(decimals, "0")).lstrip("0")
        if len(digits) > _DIGITS_MAX:
            raise ValueError(f"Antom accepts at most {_DIGITS_MAX} digits in an amount")
        return cls(currency=currency, minor=int(digits or "0"))

    def __str__(self) -> str:
        """For example "12.50 EUR"; in minor units if the currency's decimals are unknown."""
        decimals = _DECIMALS.get(self.currency)
        if decimals is None:
            return f"{self.minor} minor {self.currency}"
        return f"{Decimal(self.minor).scaleb(-decimals):.{decimals}f} {self.currency}"


def _quoted(text: str) -> str:
    """The text in quotes, truncated so that the message stays short."""
    return repr(text if len(text) <= _QUOTED_MAX else text[:_QUOTED_MAX] + "...")

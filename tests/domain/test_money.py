import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from antom_refunds.domain.money import _DECIMALS, Money

_ANTOM_TWO = "AUD BDT BRL CAD CNY EUR GBP HKD IDR MXN MYR NZD PEN PHP PKR PLN SGD THB TWD USD"
_ANTOM_NONE = "CLP JPY KRW VND"


@given(st.sampled_from(sorted(_DECIMALS)), st.integers(min_value=0, max_value=10**16 - 1))
def test_money_survives_formatting_and_parsing(currency: str, minor: int) -> None:
    money = Money(currency=currency, minor=minor)

    assert Money.parse(str(money)) == money


@pytest.mark.parametrize("currency", _ANTOM_TWO.split())
def test_currencies_with_two_decimals_match_antoms(currency: str) -> None:
    assert Money.parse(f"1 {currency}") == Money(currency=currency, minor=100)
    assert str(Money(currency=currency, minor=1)) == f"0.01 {currency}"


@pytest.mark.parametrize("currency", _ANTOM_NONE.split())
def test_currencies_without_decimals_match_antoms(currency: str) -> None:
    assert Money.parse(f"100 {currency}") == Money(currency=currency, minor=100)
    assert str(Money(currency=currency, minor=100)) == f"100 {currency}"


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("12.50 EUR", 1250),
        ("12.5 EUR", 1250),
        ("12 EUR", 1200),
        ("12.50EUR", 1250),
        ("  12.50   EUR ", 1250),
        ("0 EUR", 0),
        ("0.01 EUR", 1),
        ("0000000000000000000000001 EUR", 100),
        ("99999999999999.99 EUR", 9_999_999_999_999_999),
    ],
)
def test_money_is_parsed_from_major_units(text: str, minor: int) -> None:
    assert Money.parse(text) == Money(currency="EUR", minor=minor)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("12.50", "is not an amount"),
        ("EUR 12.50", "is not an amount"),
        ("12,50 EUR", "is not an amount"),
        ("1 000 EUR", "is not an amount"),
        ("-1 EUR", "is not an amount"),
        ("+1 EUR", "is not an amount"),
        ("1e3 EUR", "is not an amount"),
        (".5 EUR", "is not an amount"),
        ("1. EUR", "is not an amount"),
        ("NaN EUR", "is not an amount"),
        ("12.50 eur", "is not an amount"),
        ("12.50 EURO", "is not an amount"),
        ("\u0661\u0662 EUR", "is not an amount"),  # Arabic-Indic digits
        ("", "is not an amount"),
        ("1 KWD", "number of decimals of KWD is unknown"),
        ("1 XYZ", "number of decimals of XYZ is unknown"),
        ("12.505 EUR", "EUR has 2 decimals"),
        ("100.5 JPY", "JPY has 0 decimals"),
        ("99999999999999999 JPY", "at most 16 digits"),
        ("100000000000000 EUR", "at most 16 digits"),
        ("9" * 5000 + " EUR", "at most 16 digits"),
    ],
)
def test_any_other_format_is_rejected_with_a_message(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refusal:
        Money.parse(text)

    assert not isinstance(refusal.value, ValidationError)


@pytest.mark.parametrize("text", ["12.500 EUR", "100.00 JPY", "12.000 IDR"])
def test_a_third_decimal_is_not_dropped_even_if_it_is_a_zero(text: str) -> None:
    with pytest.raises(ValueError, match="decimals, not more"):
        Money.parse(text)


def test_a_currency_with_unknown_decimals_is_shown_in_minor_units() -> None:
    assert str(Money(currency="KWD", minor=1250)) == "1250 minor KWD"


@pytest.mark.parametrize("minor", [-1, 10**16, 1.0, "1", True, None])
def test_minor_units_are_a_whole_number_of_at_most_16_digits(minor: object) -> None:
    with pytest.raises(ValidationError):
        Money.model_validate({"currency": "EUR", "minor": minor})


@pytest.mark.parametrize("currency", ["eur", "EU", "EURO", "EUR\n", "E1R", "", None])
def test_a_currency_is_three_capital_letters(currency: object) -> None:
    with pytest.raises(ValidationError):
        Money.model_validate({"currency": currency, "minor": 1})


def test_minor_units_can_be_written_for_any_currency_and_read_back() -> None:
    money = Money.parse("1250 minor KWD")

    assert money == Money(currency="KWD", minor=1250)
    assert Money.parse(str(money)) == money


def test_the_message_about_a_long_text_is_short() -> None:
    with pytest.raises(ValueError, match=r"^'x{60}\.\.\.' is not an amount") as refusal:
        Money.parse("x" * 100_000)

    assert len(str(refusal.value)) < 150

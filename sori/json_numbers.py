"""Numbers of JSON as they were written, and as text where an id came as one. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Self

#: JavaScript writes whole numbers below this without an exponent.
_FIRST_EXPONENT = 1e21
_LONGEST = 300


class Written(float):
    """A number with a point or an exponent, and its digits: from 2**53 on a float lacks some."""

    literal: str

    def __new__(cls, literal: str) -> Self:
        """As `float`, which raises ValueError."""
        made = super().__new__(cls, literal)
        made.literal = literal
        return made


def digits(number: float) -> str:
    """A number as text: a whole one without a point, to its last digit, however it was written."""
    if not isinstance(number, Written) or not number.is_integer() or abs(number) >= _FIRST_EXPONENT:
        return str(number)
    if not number:
        return "0"  # whatever its exponent, which may be beyond what decimals take
    exact = Decimal(number.literal) if len(number.literal) <= _LONGEST else Decimal(int(number))
    whole = exact.to_integral_value()
    return str(int(whole)) if whole == exact else str(number)

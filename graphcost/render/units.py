"""Numbers as people read them: times in ms, sizes in KiB/MiB/GiB, counts in K/M/G, shares in %. Unknown is `-`.

Every text ends with a unit of constant width, so that a right-aligned column lines up at the decimal point.
"""

from __future__ import annotations

import math

UNKNOWN = "-"

_COUNTS = (" ", "K", "M", "G", "T", "P", "E")
_ROUNDING = 1e-12
"""What a sum of shares loses to floating point, amply."""
_SIZES = ("B  ", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def count(number: float | None) -> str:
    """4089284608 -> "4.09 G"."""
    return UNKNOWN if number is None else _scaled(number, 1000, _COUNTS, 2).rstrip()


def size(bytes_: float | None) -> str:
    """102760448 -> "98.0 MiB"."""
    return UNKNOWN if bytes_ is None else _scaled(bytes_, 1024, _SIZES, 1).rstrip()


def count_cell(number: float | None) -> str:
    """As `count`, for a right-aligned column."""
    return UNKNOWN + "  " if number is None else _scaled(number, 1000, _COUNTS, 2)


def size_cell(bytes_: float | None) -> str:
    """As `size`, for a right-aligned column."""
    return UNKNOWN + "    " if bytes_ is None else _scaled(bytes_, 1024, _SIZES, 1)


def share(part: float | None) -> str:
    """0.8013 -> "80.1 %". What is not quite everything never reads 100 %."""
    if part is None:
        return UNKNOWN
    rounded = 0.999 if 0.9995 <= part < 1 - _ROUNDING else part
    return f"{100 * rounded:.1f} %"


def milliseconds(ms: float | None) -> str:
    """12.3456 -> "12.35 ms": four significant digits."""
    return UNKNOWN if ms is None else f"{significant(ms)} ms"


def significant(number: float, digits: int = 4) -> str:
    """A number with so many significant digits, never in exponent form, its trailing zeros kept."""
    if number == 0 or not math.isfinite(number):
        return f"{number:g}"
    magnitude = math.floor(math.log10(abs(number)))
    return f"{number:.{min(max(digits - 1 - magnitude, 0), 9)}f}"


def rate(per_s: float | None) -> str:
    """81.23 -> "81.2"."""
    return UNKNOWN if per_s is None else significant(per_s, 3) if per_s < 1000 else f"{per_s:,.0f}"


def plural(number: int, noun: str, many: str | None = None) -> str:
    """1 kernel, 1,234 kernels."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def signed(text: str, number: float) -> str:
    """The text of a difference with its sign."""
    return text if text.lstrip().startswith("-") or number == 0 else f"+{text}"


def _scaled(number: float, base: int, units: tuple[str, ...], decimals: int) -> str:
    """The number in the unit that leaves one to four digits before the point; the plain unit has no decimals."""
    step = 0
    while round(abs(number), decimals) >= base and step < len(units) - 1:
        number, step = number / base, step + 1
    return f"{number:.{decimals if step else 0}f} {units[step]}"

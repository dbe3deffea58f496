"""Real numbers of sixteen bits and fewer, from their bit patterns: what struct has no letter for."""

from __future__ import annotations

import math
from typing import Final, NamedTuple


class Layout(NamedTuple):
    """How the bits of a number are shared out, below a sign bit.

    `special` says what the top patterns mean. ieee: a full exponent is infinity, or NaN with a mantissa; fn: only all
    bits set is NaN; fnuz: only the pattern of minus zero is NaN; finite: every pattern is a number.
    """

    exponent_bits: int
    mantissa_bits: int
    bias: int
    special: str


LAYOUTS: Final = {
    "bf16": Layout(8, 7, 127, "ieee"),
    "f8e4m3fn": Layout(4, 3, 7, "fn"),
    "f8e4m3fnuz": Layout(4, 3, 8, "fnuz"),
    "f8e5m2": Layout(5, 2, 15, "ieee"),
    "f8e5m2fnuz": Layout(5, 2, 16, "fnuz"),
    "f6e2m3": Layout(2, 3, 1, "finite"),
    "f6e3m2": Layout(3, 2, 3, "finite"),
    "f4e2m1": Layout(2, 1, 1, "finite"),
}
"""Source: ONNX's technical notes on float stored in 8 and in 4 bits, and the OCP Microscaling specification 1.0."""


def minifloat(pattern: int, layout: Layout) -> float:
    """The number that a bit pattern stands for."""
    exponent_bits, mantissa_bits, bias, special = layout
    mantissa_limit, exponent_limit = 1 << mantissa_bits, 1 << exponent_bits
    mantissa = pattern & (mantissa_limit - 1)
    exponent = pattern >> mantissa_bits & (exponent_limit - 1)
    sign = -1.0 if pattern >> (mantissa_bits + exponent_bits) else 1.0
    full = exponent == exponent_limit - 1
    if special == "ieee" and full:
        return math.nan if mantissa else sign * math.inf
    if special == "fn" and full and mantissa == mantissa_limit - 1:
        return math.nan
    if special == "fnuz" and sign < 0 and not exponent and not mantissa:
        return math.nan
    if exponent == 0:
        return sign * math.ldexp(mantissa, 1 - bias - mantissa_bits)
    return sign * math.ldexp(mantissa_limit + mantissa, exponent - bias - mantissa_bits)


def power_of_two(pattern: int) -> float:
    """An f8e8m0: a bare exponent of bias 127, whose full pattern is NaN."""
    return math.nan if pattern == 0xFF else math.ldexp(1.0, pattern - 127)

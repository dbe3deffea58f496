"""Polynomials in the dimensions of a model, with exact coefficients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb, lcm, prod
from typing import Any, TypeAlias

import numpy

Powers: TypeAlias = "tuple[int, ...]"
Array: TypeAlias = "numpy.ndarray[Any, Any]"


@dataclass(frozen=True, eq=False)
class Polynomial:
    """The sum of `coefficient · symbols^powers`; no coefficient is zero. Compared by identity."""

    symbols: tuple[str, ...]
    terms: Mapping[Powers, Fraction]

    def at(self, sizes: Mapping[str, int]) -> Fraction:
        """The value for numbers in the place of the symbols."""
        point = [sizes[symbol] for symbol in self.symbols]
        return sum((c * prod(map(pow, point, powers)) for powers, c in self.terms.items()), Fraction(0))

    def __sub__(self, other: Polynomial) -> Polynomial:
        powers = dict.fromkeys((*self.terms, *other.terms))
        found = {p: self.terms.get(p, Fraction(0)) - other.terms.get(p, Fraction(0)) for p in powers}
        return Polynomial(self.symbols, {p: c for p, c in found.items() if c})

    def shifted(self, lows: Sequence[int]) -> Polynomial:
        """The polynomial in y, where each symbol is its `low` + y."""
        terms: dict[Powers, Fraction] = {}
        for powers, coefficient in self.terms.items():
            for lower in numpy.ndindex(*(power + 1 for power in powers)):
                weight = prod(comb(p, q) * low ** (p - q) for p, q, low in zip(powers, lower, lows))
                terms[lower] = terms.get(lower, Fraction(0)) + coefficient * weight
        return Polynomial(self.symbols, {p: c for p, c in terms.items() if c})

    @property
    def denominator(self) -> int:
        """What makes all coefficients whole numbers."""
        return lcm(*(c.denominator for c in self.terms.values()))


def interpolate(symbols: Sequence[str], points: Sequence[Sequence[int]], values: Array) -> list[Polynomial]:
    """The polynomials through values on a grid. `points` are the coordinates along each axis of the grid; the last axis
    of `values` counts the polynomials. Along an axis of n points the degree is n - 1 at most."""
    coefficients = values.astype(object)
    for axis, coordinates in enumerate(points):
        along = numpy.tensordot(_inverse_vandermonde(coordinates), coefficients, axes=([1], [axis]))
        coefficients = numpy.moveaxis(along, 0, axis)
    columns = coefficients.reshape(-1, values.shape[-1])
    powers = list(numpy.ndindex(*values.shape[:-1]))
    return [Polynomial(tuple(symbols), {p: Fraction(c) for p, c in zip(powers, column) if c}) for column in columns.T]


def _inverse_vandermonde(points: Sequence[int]) -> Array:
    """Row k gives the coefficient of x^k from the values at the points: columns are Lagrange's polynomials."""
    columns = [_lagrange(point, [other for other in points if other != point]) for point in points]
    matrix = numpy.empty((len(points), len(points)), dtype=object)
    for number, column in enumerate(columns):
        matrix[:, number] = column
    return matrix


def _lagrange(point: int, others: Sequence[int]) -> list[Fraction]:
    """Coefficients, the lowest power first, of the polynomial that is 1 at the point and 0 at the others."""
    found = [Fraction(1)]
    for other in others:
        below = [Fraction(0), *found]
        found = [(b - other * c) / (point - other) for b, c in zip(below, (*found, Fraction(0)))]
    return found


# As text

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def spell(polynomial: Polynomial) -> str:
    """`batch·seq·(512·seq + 3,145,728)`: what all terms share stands in front, higher powers come first."""
    if not polynomial.terms:
        return "0"
    denominator = polynomial.denominator
    terms = {powers: int(c * denominator) for powers, c in polynomial.terms.items()}
    shared = tuple(map(min, zip(*terms)))
    inner = _sum(polynomial.symbols, {tuple(p - s for p, s in zip(powers, shared)): c for powers, c in terms.items()})
    over = f" / {denominator:,}" if denominator > 1 else ""
    if not any(shared):
        return f"({inner}){over}" if over and len(terms) > 1 else inner + over
    if len(terms) == 1:
        return _term(polynomial.symbols, *next(iter(terms.items()))) + over
    return f"{_monomial(polynomial.symbols, shared)}·({inner}){over}"


def _sum(symbols: Sequence[str], terms: Mapping[Powers, int]) -> str:
    ordered = sorted(terms.items(), key=lambda item: (-sum(item[0]), tuple(-power for power in item[0])))
    first, *rest = ordered
    text = _term(symbols, *first)
    for powers, coefficient in rest:
        text += f" {'-' if coefficient < 0 else '+'} {_term(symbols, powers, abs(coefficient))}"
    return text


def _term(symbols: Sequence[str], powers: Powers, coefficient: int) -> str:
    monomial = _monomial(symbols, powers)
    if not monomial:
        return f"{coefficient:,}"
    sign = "-" if coefficient < 0 else ""
    return sign + monomial if abs(coefficient) == 1 else f"{coefficient:,}·{monomial}"


def _monomial(symbols: Sequence[str], powers: Powers) -> str:
    raised = zip(symbols, powers)
    return "·".join(s if p == 1 else s + str(p).translate(_SUPERSCRIPTS) for s, p in raised if p)

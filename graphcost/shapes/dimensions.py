"""Arithmetic, comparisons and logic on single numbers of which some may be unknown dimensions.

A dimension is never negative, which is what the rules for unknown ones rest on. An unknown yes or no is an unknown
that is at most 1.
"""

from __future__ import annotations

import math
from typing import Any

from graphcost.types import Unknown, bound


def _whole(item: Any) -> Any:
    """A float that stands for a whole number, as one: dimensions pass through floats in exported arithmetic."""
    return int(item) if isinstance(item, float) and item.is_integer() else item


def add(a: Any, b: Any) -> Any:
    return _whole(a) + _whole(b) if _exact(a, b) else _estimate(a, b)


def subtract(a: Any, b: Any) -> Any:
    if a == b:
        return 0
    return _whole(a) - _whole(b) if _exact(a, b) else _estimate(a, b)


def multiply(a: Any, b: Any) -> Any:
    if _exact(a, b):
        return _whole(a) * _whole(b)
    unknown, factor = (a, b) if isinstance(a, Unknown) else (b, a)
    most = None if unknown.max is None else max(math.ceil(unknown.max * factor), 0)
    return Unknown(f"({unknown.name}*{factor!r})", most)


def divide(a: Any, b: Any) -> Any:
    if not _exact(a, b) or b == 0:
        return _estimate(a, b)
    return _whole(a) // _whole(b)


def remainder(a: Any, b: Any) -> Any:
    if not any_unknown(a, b):
        return a % b
    return Unknown(f"({name_of(a)}%{name_of(b)})", max(b - 1, 0) if isinstance(b, int) else None)


def _exact(a: Any, b: Any) -> bool:
    """Whether dimension arithmetic can take both."""
    return all(isinstance(_whole(item), (int, Unknown)) for item in (a, b)) or not any_unknown(a, b)


def any_unknown(*items: Any) -> bool:
    return any(isinstance(item, Unknown) for item in items)


def _estimate(a: Any, b: Any) -> Unknown:
    unknown = a if isinstance(a, Unknown) else b
    return Unknown(f"({unknown.name})" if isinstance(unknown, Unknown) else "?")


def minimum(a: Any, b: Any) -> Any:
    if not any_unknown(a, b):
        return min(a, b)
    limits = [limit for limit in map(_bound, (a, b)) if limit is not None]
    return a if a == b else Unknown(f"min({name_of(a)},{name_of(b)})", min(limits, default=None))


def maximum(a: Any, b: Any) -> Any:
    if not any_unknown(a, b):
        return max(a, b)
    if a == b or _never_more(a):
        return b
    if _never_more(b):
        return a
    high_a, high_b = _bound(a), _bound(b)
    most = None if high_a is None or high_b is None else max(high_a, high_b)
    return Unknown(f"max({name_of(a)},{name_of(b)})", most)


def _never_more(item: Any) -> bool:
    """Whether a number cannot exceed a dimension."""
    return not isinstance(item, Unknown) and item <= 0


def _bound(item: Any) -> int | None:
    whole = _whole(item)
    return bound(whole) if isinstance(whole, (int, Unknown)) else None


def name_of(item: Any) -> str:
    return item.name if isinstance(item, Unknown) else str(item)


def equal(a: Any, b: Any) -> Any:
    if a == b:
        return True
    return False if not any_unknown(a, b) or _negative(a) or _negative(b) or _beyond(a, b) else _perhaps(a, b)


def _negative(item: Any) -> bool:
    return not isinstance(item, Unknown) and item < 0


def _beyond(a: Any, b: Any) -> bool:
    """Whether one is a number that the other cannot reach."""
    high_a, high_b = _bound(a), _bound(b)
    if isinstance(a, Unknown):
        return not isinstance(b, Unknown) and high_a is not None and b > high_a
    return high_b is not None and a > high_b


def _perhaps(a: Any, b: Any) -> Unknown:
    return Unknown(f"({name_of(a)}?{name_of(b)})", 1)


def less(a: Any, b: Any) -> Any:
    if not any_unknown(a, b):
        return a < b
    high = _bound(a)
    if high is not None and not isinstance(b, Unknown) and high < b:
        return True
    return False if _never_more(b) else _perhaps(a, b)


def negate(item: Any) -> Any:
    return Unknown(f"!{item.name}", 1) if isinstance(item, Unknown) else not item


def both(a: Any, b: Any) -> Any:
    if not any_unknown(a, b):
        return bool(a) and bool(b)
    known = b if isinstance(a, Unknown) else a
    return False if not isinstance(known, Unknown) and not known else _perhaps(a, b)


def either(a: Any, b: Any) -> Any:
    return negate(both(negate(a), negate(b)))


def choose(condition: Any, then: Any, otherwise: Any) -> Any:
    if not isinstance(condition, Unknown):
        return then if condition else otherwise
    if then == otherwise:
        return then
    highs = [_bound(then), _bound(otherwise)]
    most = None if None in highs else max(high for high in highs if high is not None)
    return Unknown(f"({name_of(then)}|{name_of(otherwise)})", most)

"""Fewer rows: thousands of members of one family say little more than hundreds."""

from __future__ import annotations

from collections.abc import Sequence

from graphcost.measurements import Measurement


def thinned(rows: Sequence[Measurement], most: int) -> list[Measurement]:
    """At most `most` rows of each family on each device in each precision, evenly spaced in their order."""
    members: dict[tuple[str, str, str, str], list[int]] = {}
    for at, row in enumerate(rows):
        members.setdefault((row.device_spec, row.precision, row.source, row.kin), []).append(at)
    kept = sorted(at for places in members.values() for at in _spaced(places, most))
    return [rows[at] for at in kept]


def _spaced(places: Sequence[int], most: int) -> list[int]:
    if len(places) <= most:
        return list(places)
    return [places[at * len(places) // most] for at in range(most)]

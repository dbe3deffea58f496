"""One model at many sizes: a table of exact cells, and formulas of the dimensions.

axes         what the user types → sizes
cells        sizes → exact totals, typed anew for each, the file read once
frame        graphs that differ in numbers only, as one
table        axes → cells
search       along which sizes the figures are polynomials
reach        how far a formula holds
polynomial   exact interpolation, and its text
envelope     the largest of many polynomials
formula      totals → formulas, held against further analyses
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphcost.api import Dims, Shapes, Source, set_up
from graphcost.importer import Sizes, Template, parse_sizes, read_model
from graphcost.pipeline import Instrument
from graphcost.target import Target

from .axes import Axis, parse_axes
from .cells import BATCH, Cell, Sampler
from .formula import Formula, Formulas, find_formulas
from .polynomial import Polynomial
from .reach import Range
from .search import Question
from .table import cells_of

__all__ = ["Axis", "Cell", "Formula", "Formulas", "Polynomial", "Range", "Sweep", "sweep"]


@dataclass(frozen=True)
class Sweep:
    """The cells of a model over the axes, the last axis fastest, and formulas where they were asked for."""

    model: str
    target: Target
    axes: tuple[Axis, ...]
    cells: tuple[Cell, ...]
    formulas: Formulas | None
    warnings: tuple[str, ...]


def sweep(
    model: Source,
    axes: Iterable[str] | Mapping[str, Sequence[int]] = (),
    device: Any = None,
    *,
    symbolic: bool = False,
    batch: int | None = None,
    shapes: Shapes = (),
    dims: Dims = (),
    instruments: Sequence[Instrument] = (),
    **options: Any,
) -> Sweep:
    """What a model costs over all combinations of some sizes: `["batch=1,8,32", "seq=128:1024:128"]`.

    `symbolic` asks for formulas of the axes and of the dimensions that have no number, else of the batch; `device` and
    the other options are those of `graphcost.api.run`. Raises a UserError when something given cannot be used.
    """
    over = parse_axes(axes) if not isinstance(axes, Mapping) else tuple(Axis(n, tuple(v)) for n, v in axes.items())
    setup = set_up(device, **options)
    template = Template(read_model(model), setup.registry.operators)
    sampler = Sampler(template, setup, parse_sizes(shapes, dims, batch), instruments)
    sampler.refuse_unknown(axis.name for axis in over)
    cells = cells_of(sampler, over) if over or not symbolic else ()
    formulas = find_formulas(sampler, _asked(sampler, over)) if symbolic else None
    warnings = dict.fromkeys(warning for cell in cells for warning in cell.warnings)
    return Sweep(_name(model), setup.target, over, cells, formulas, tuple(warnings))


def _asked(sampler: Sampler, axes: Sequence[Axis]) -> Question:
    symbols = _symbols(sampler, [axis.name for axis in axes])
    return Question(tuple(symbols), _batches(sampler), {axis.name: axis.values for axis in axes})


def _symbols(sampler: Sampler, swept: Sequence[str]) -> list[str]:
    """What formulas are in: the axes, and what has no number; the batch where that would be nothing."""
    symbols, fixed = sampler.template.symbols, sampler.fixed
    dims = {**fixed.dims, **dict.fromkeys((name for name in swept if name in symbols), 1)}
    batch = 1 if BATCH in swept and BATCH not in symbols else fixed.batch
    return [*swept, *sampler.template.loose_symbols(Sizes(fixed.shapes, dims, batch))] or [BATCH]


def _batches(sampler: Sampler) -> frozenset[str]:
    """The symbols that stand for the batch."""
    loose = sampler.template.loose_symbols
    return frozenset({BATCH, *loose(Sizes())} - {*loose(Sizes(batch=1))})


def _name(model: Source) -> str:
    return Path(os.fsdecode(model)).stem if isinstance(model, (str, os.PathLike)) else "model"

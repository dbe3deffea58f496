"""One network at many widths, resolutions and batches, in one go.

variant    what may vary, and the channels that a width gives
network    a model, read once → its graph of kernels for any variant
skeleton   graphs that differ in numbers only, as one, its numbers as polynomials of what varies
decided    formats and kernels of one variant, taken over by those whose channels are aligned alike
counting   work and queries, each different kernel once
table      variants → what each costs, all kernels estimated in one call
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

from graphcost.api import Dims, Shapes, Source, set_up
from graphcost.importer import Template, parse_sizes, read_model

from .network import Network
from .table import VariantCost, cost_variants
from .variant import Variant, divisible

__all__ = ["Variant", "VariantCost", "divisible", "grid", "variants"]


def variants(
    model: Source,
    wanted: Iterable[Variant],
    device: Any = None,
    *,
    divisor: int = 8,
    shapes: Shapes = (),
    dims: Dims = (),
    **options: Any,
) -> list[VariantCost]:
    """What a network costs in each of its variants, in order: as separate analyses would say, several times as fast.

    Among many variants, formats and kernels are decided once for those whose channels are aligned alike, where the
    latencies of some that were decided by themselves agree to half a percent; all else is exact.

    A width scales the output channels of every contraction but the last to a multiple of `divisor`. `device` and the
    other options are those of `graphcost.api.run`. Raises a UserError for a variant that the network cannot take.
    """
    setup = set_up(device, **options)
    template = Template(read_model(model), setup.registry.operators)
    network = Network(template, setup, parse_sizes(shapes, dims), divisor)
    return cost_variants(network, list(wanted))


def grid(
    widths: Sequence[float] = (1.0,),
    resolutions: Sequence[int | tuple[int, int]] | None = None,
    batches: Sequence[int] | None = None,
) -> list[Variant]:
    """Every combination, batches fastest. What is not given stays as it is in the file."""
    sides = [None] if resolutions is None else [(r, r) if isinstance(r, int) else r for r in resolutions]
    counts = [None] if batches is None else list(batches)
    return [Variant(*each) for each in product(widths, sides, counts)]

"""The analyses that passes share, by name: what each node works, which values are known, what lies in memory when.

The rooms that compute them are imported when somebody asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .ir import Graph, Node, Value
from .pipeline import Analyses, Analysis
from .types import Constant

if TYPE_CHECKING:
    from .memory import MemoryProfile
    from .work.node import NodeWork


def _work(graph: Graph, analyses: Analyses) -> Mapping[Node, NodeWork]:
    from .work.node import work_table

    return work_table(graph, analyses.operators)


def _values(graph: Graph, analyses: Analyses) -> Mapping[Value, Constant]:
    from .shapes.engine import known_values

    return known_values(graph, analyses.operators)


def _memory(graph: Graph, analyses: Analyses) -> MemoryProfile:
    from .memory import liveness

    return liveness(graph, analyses.operators)


WORK: Analysis[Mapping[Node, NodeWork]] = Analysis("work", _work)
"""The work of each node of the graph; what is in bodies is in the node that holds them."""

VALUES: Analysis[Mapping[Value, Constant]] = Analysis("values", _values)
"""The data of small tensors that are known before the network runs: of weights and of results. Changes no type."""

MEMORY: Analysis[MemoryProfile] = Analysis("memory", _memory)
"""Which storage is alive when, along the order of execution."""

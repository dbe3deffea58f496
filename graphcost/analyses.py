"""The analyses that passes share, by name: what each node works, which values are known, what lies in memory when.

The rooms that compute them are imported when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from .ir import Graph, Node, Value
from .pipeline import Analyses, Analysis

if TYPE_CHECKING:
    from .memory import MemoryProfile
    from .shapes.facts import Facts
    from .work.measures import Measures
    from .work.node import NodeWork


def _work(graph: Graph, analyses: Analyses) -> Mapping[Node, NodeWork]:
    from .work.node import work_table

    return work_table(graph, analyses.operators)


def _measures(graph: Graph, analyses: Analyses) -> Measures:
    from .work.measures import Measures

    return Measures(analyses.operators)


def _same_measures(graph: Graph, kept: Measures, fresh: Measures) -> bool:
    """Of nodes that still stand: others are never asked about."""
    return all(fresh.work_of(node) == work for node, work in kept.known.items() if node.graph is graph)


def _values(graph: Graph, analyses: Analyses) -> Facts:
    """Inference sets types, which an analysis may not: so it runs over a copy, and what it learns is carried back."""
    from .shapes import Facts, infer

    copy = graph.clone()
    learned, facts = infer(copy, analyses.operators), Facts()
    for value, twin in zip(_all_values(graph), _all_values(copy)):
        facts.learn(value, learned.known(twin))
    return facts


def _same_values(graph: Graph, kept: Facts, fresh: Facts) -> bool:
    return all(_same_data(kept, fresh, value) for value in _all_values(graph))


def _same_data(kept: Facts, fresh: Facts, value: Value) -> bool:
    a, b = kept.known(value), fresh.known(value)
    if a is None or b is None:
        return a is b
    return a.shape == b.shape and repr(a.tolist()) == repr(b.tolist())  # as text, so that NaN equals NaN


def _all_values(graph: Graph) -> Iterator[Value]:
    """Those of bodies too."""
    yield from graph.values()
    for node in graph:
        for body in node.bodies:
            yield from _all_values(body)


def _memory(graph: Graph, analyses: Analyses) -> MemoryProfile:
    from .memory import liveness

    return liveness(graph, analyses.operators)


def _same_memory(graph: Graph, kept: MemoryProfile, fresh: MemoryProfile) -> bool:
    """Storages compare by identity, so two profiles never hold the same ones."""
    return kept.timeline == fresh.timeline and kept.weight_bytes == fresh.weight_bytes


WORK: Analysis[Mapping[Node, NodeWork]] = Analysis("work", _work)
"""The work of each node of the graph; what is in bodies is in the node that holds them."""

MEASURES: Analysis[Measures] = Analysis("measures", _measures, _same_measures)
"""The work of single nodes, measured when a pass first asks. It survives passes that tell of each node they change."""

VALUES: Analysis[Facts] = Analysis("values", _values, _same_values)
"""The data of small tensors that are known before the network runs: of weights and of results."""

MEMORY: Analysis[MemoryProfile] = Analysis("memory", _memory, _same_memory)
"""Which storage is alive when, along the order of execution."""

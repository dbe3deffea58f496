"""What rules look at: a model as it was imported, before any pass, and the target that it is meant for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from graphcost.analyses import VALUES
from graphcost.groups import GROUPS, Group
from graphcost.importer import Imported
from graphcost.ir import Node, Value
from graphcost.operators import Operators
from graphcost.pipeline import Analyses
from graphcost.report import Report
from graphcost.support import executed_nodes
from graphcost.target import Target
from graphcost.types import TensorType
from graphcost.work.node import Work, node_work


@dataclass(frozen=True, eq=False)
class Subject:
    """`report` is what the network costs on the device, None when no device was asked for."""

    imported: Imported
    target: Target
    operators: Operators
    report: Report | None = None

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes that no constant folding removes, those of bodies too, in execution order."""
        return tuple(executed_nodes(self.imported.graph, self.imported.facts))

    @cached_property
    def works(self) -> Mapping[Node, Work]:
        """The work of one execution of each of `nodes`; what cannot be told is not in it."""
        return {node: node_work(node, self.operators).work for node in self.nodes}

    @cached_property
    def total(self) -> Work:
        """The work of the network; a node that holds bodies stands for what is in them."""
        own = (work for node, work in self.works.items() if node.graph is self.imported.graph)
        return sum(own, Work())

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Recognised groups: attention, normalisations, activations."""
        analyses = Analyses(self.imported.graph, self.operators)
        analyses.put(VALUES, self.imported.facts)
        return analyses.get(GROUPS)

    @property
    def is_tensorrt(self) -> bool:
        return self.target.runtime.family == "tensorrt"


def dtype_of(value: Value | None) -> str:
    """The element type of a tensor, "?" where there is none or nobody can tell."""
    return value.type.dtype if value is not None and isinstance(value.type, TensorType) else "?"


def sizes_of(value: Value | None) -> tuple[int, ...] | None:
    """The dimensions of a tensor, None unless all of them are numbers."""
    if value is None or not isinstance(value.type, TensorType) or value.type.dims is None:
        return None
    sizes = tuple(dim for dim in value.type.dims if isinstance(dim, int))
    return sizes if len(sizes) == len(value.type.dims) else None


def bytes_of(value: Value | None) -> int:
    """The bytes of a value, 0 where they are not known: for sums that are the least it can be."""
    return 0 if value is None else value.type.size_bytes or 0


def producer_of(value: Value | None) -> Node | None:
    return None if value is None else value.producer


def only_reader(value: Value) -> Node | None:
    """The one node that reads a value, None when there are more, none, or it is an output."""
    readers = value.readers
    return readers[0] if len(readers) == 1 and not is_exit(readers[0]) else None


def is_exit(node: Node) -> bool:
    """Whether a reader stands for an output of its graph."""
    return node.graph is not None and node is node.graph.exit

"""In which format each kernel reads and writes its activations, as a table says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node
from graphcost.kernels import precision_of
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.target import Target
from graphcost.types import Attr

from .formats.border import border_kernels
from .formats.capabilities import Capabilities, Formats
from .formats.choice import Candidate, Step, choose, stands
from .formats.ports import is_activation, other_precisions
from .formats.reformats import ATTRIBUTE

NEWEST = (9, 0)
"""Without a device: what TensorRT does on hardware that has everything."""

LAUNCH_BYTES = 1 << 18
"""What a reformat costs beside its bytes: the smallest kernels take about 5 µs (layer lists of Orin and an RTX 3060
Laptop), in which a Jetson moves about this much at 50 GB/s."""

_STEP = 1e-3
"""What a format further down a row of the table costs, in bytes: it decides only between equals."""


@dataclass(frozen=True)
class AssignFormats(Pass):
    """Give each kernel the formats in which it reads and writes (attribute `formats`), from a table of what kernels of
    its family, precision and architecture can do, so that the fewest bytes have to be brought from one format to
    another. Views and what has no images stay linear. Between the network's border and the next product the type is
    chosen with the format (`formats/border.py`).

    Evidence: each row of the table names the engine's layer or the document that it is read from; that TensorRT takes
    the path with the cheapest reformats is in its documentation and build logs. Where a cost model knows tactics,
    `select-kernels` chooses in the place of this pass, from the same table and by time.
    """

    name: ClassVar[str] = "assign-formats"

    def run(self, graph: Graph, ctx: Context) -> Change:
        if ctx.tactics is not None:
            return UNCHANGED
        table = capabilities_of(ctx.target)
        formats = table.formats_by_node(filter(handles_activations, graph))
        border = border_kernels(graph)
        candidates = {node: table_candidates(node, pairs, node in border) for node, pairs in formats.items()}
        chosen = choose(graph, candidates, _moved_bytes)
        return Change(count) if (count := mark_all(self.name, chosen, ctx)) else UNCHANGED


def capabilities_of(target: Target) -> Capabilities:
    return Capabilities(NEWEST if target.device is None else target.device.compute_capability)


def table_candidates(
    node: Node, formats: Sequence[Formats], at_border: bool, cost_of_bytes: float = 1.0
) -> list[Candidate]:
    """What the table allows; moving FP32 in the place of FP16 costs two bytes more for each element."""
    own = [Candidate(*pair, cost=rank * _STEP * cost_of_bytes) for rank, pair in enumerate(formats)]
    others = other_precisions(node, at_border)
    if not others:
        return own
    moved = sum(2 * (value.type.elements or 0) for value in (*node.inputs, *node.results) if is_activation(value))
    cost = (_STEP + moved) * cost_of_bytes
    return own + [Candidate("linear", "linear", cost, None, other) for other in others]


def handles_activations(node: Node) -> bool:
    return any(map(is_activation, (*node.inputs, *node.results)))


def mark_all(rule: str, chosen: Mapping[Node, Candidate], ctx: Context) -> int:
    """Note what was chosen for each kernel; how often that is news."""
    for node, found in chosen.items():
        own = precision_of(node)
        if found.tactic is None and found.precision not in (None, own):
            ctx.journal.did(rule, node, f"runs in {found.precision}: in {own} the conversions around it take longer")
    return sum(_mark(node, found) for node, found in chosen.items())


def _mark(node: Node, found: Candidate) -> bool:
    """Note what a kernel reads and writes where its types do not say it already; whether that is news."""
    notes: dict[str, Attr | None] = {ATTRIBUTE: None if stands(node, found) else (found.reads, found.writes)}
    if found.tactic is not None:
        notes["tactic"] = found.tactic
    if found.precision is not None:
        notes["precision"] = found.precision
    news = {key: value for key, value in notes.items() if node.attrs.get(key) != value}
    for key, value in news.items():
        node.set_attr(key, value)
    return bool(news)


def _moved_bytes(steps: Sequence[Step]) -> list[float]:
    return [(a.size_bytes or 0) + (b.size_bytes or 0) + LAUNCH_BYTES for a, b in steps]

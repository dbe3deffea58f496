"""How many layers there are after each stage, in the words of TensorRT's build log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graphcost.ir import Graph, Value
from graphcost.journal import Journal
from graphcost.kernels import kind_of
from graphcost.pipeline import Change, Instrument, Pass, Stage
from graphcost.types import TensorType

HEADINGS: Mapping[str, str] = {
    "dce": "dead-layer removal",
    "fold-batch-norm": "scale fusion",
    "fuse-epilogue": "vertical fusions",
    "fuse-stem": "vertical fusions",
    "merge-siblings": "tensor merging",
    "myelin": "Myelin optimization",
    "retarget-slices": "slice removal",
    "retarget-concats": "concat removal",
}
"""What build logs of TensorRT 8.5.10 and 10.3 call the stage that a pass ends. The last pass of a pipeline that chooses
formats or kernels ends "reformat layers"."""

_REFORMATS = ("formats", "selection")
_NO_LAYERS = frozenset({"trt.slice_view", "trt.concat_view"})


@dataclass
class LayerCounts(Instrument):
    """Counts layers as TensorRT does, before the first pass and after each: slices and concatenations that became views
    are none, constant tensors that pointwise layers read are some (layer counts of YOLOv8n, TensorRT 10.3)."""

    original: int = 0
    counts: list[int] = field(default_factory=list)

    def before(self, step: Pass, graph: Graph) -> None:
        if not self.counts:
            self.original = _layers(graph)

    def after(self, step: Pass, graph: Graph, change: Change) -> None:
        self.counts.append(_layers(graph))


def _layers(graph: Graph) -> int:
    read = (value for node in graph if kind_of(node) == "pointwise" for value in node.inputs)
    return sum(node.op not in _NO_LAYERS for node in graph) + len({value for value in read if _is_layer(value)})


def _is_layer(value: Value) -> bool:
    return value.is_weight and isinstance(value.type, TensorType) and (value.type.elements or 0) > 1


def stage_lines(seen: LayerCounts, stages: Sequence[Stage], journal: Journal) -> list[str]:
    """`Original: 248 layers`, then `After … : n layers` for each stage in the order in which our passes run, with the
    passes that changed their number; then how often each rule applied."""
    lines = [f"Original: {seen.original:,} layers"]
    for heading, passes, layers in _ended(seen, stages):
        lines.append(f"After {heading}: {layers:,} layers" + (f"  ({', '.join(passes)})" if passes else ""))
    applied = Counter(entry.rule for entry in journal.did_)
    rules = [f"  {count:5,} × {rule}" for rule, count in applied.most_common()]
    return [*lines, "", "rules that applied", *rules] if rules else lines


def _ended(seen: LayerCounts, stages: Sequence[Stage]) -> Iterator[tuple[str, list[str], int]]:
    """Each heading, what changed the number of layers since the one before it, and that number. Of equal headings that
    follow each other only the last counts."""
    before, changed = seen.original, list[str]()
    ends = _endings(stages)
    for at, ((name, heading), layers) in enumerate(zip(ends, seen.counts)):
        if layers != before:
            changed.append(f"{name} {layers - before:+,}")
        before = layers
        later = next((other for _, other in ends[at + 1 :] if other), None)
        if heading and heading != later:
            yield heading, changed, layers
            changed = []


def _endings(stages: Sequence[Stage]) -> list[tuple[str, str]]:
    """The name of each pass, and the heading that it ends, if it does."""
    found = [(step.name, HEADINGS.get(step.name, "")) for stage in stages for step in stage.passes]
    last = [len(stage.passes) > 0 and stage.name in _REFORMATS for stage in stages]
    if any(last):
        end = sum(len(stage.passes) for stage in stages[: len(last) - last[::-1].index(True)]) - 1
        found[end] = (found[end][0], "reformat layers")
    return found

"""The table of what kernels can read and write (capabilities.toml), and what it says of a node."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from graphcost.ir import Node, Value
from graphcost.kernels import kind_of, precision_of
from graphcost.toml_files import Table, read_toml
from graphcost.types import CHANNEL_LANES, TensorType

from .ports import BORDER_VIEWS, NOOP, REFORMAT, activations, is_activation, is_copy, reads_dtype, writes_dtype

FILE = Path(__file__).parent / "capabilities.toml"

FIRST_LAYER_CHANNELS = 4
"""Kernels for images read up to four channels (`…_image_network_first_layer_…_c4_…`)."""

Formats: TypeAlias = "tuple[str, str]"
"""What a kernel reads, and what it writes."""


@dataclass(frozen=True)
class Row:
    """One row of the table; an empty condition holds always."""

    formats: tuple[str, ...]
    source: str
    kinds: frozenset[str] = frozenset()
    ops: frozenset[str] = frozenset()
    dtypes: frozenset[str] = frozenset()
    precisions: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    results: frozenset[str] = frozenset()
    copied: tuple[str, ...] = ()
    at_least: tuple[int, ...] = (0, 0)
    first_layer: bool = False


@cache
def rows(table: str) -> tuple[Row, ...]:
    """The rows of `storage` or `kernel`, in order."""
    entries = _tables()[table]
    assert isinstance(entries, list)
    return tuple(_row(entry) for entry in entries)


@cache
def _tables() -> Table:
    return read_toml(FILE)


_CONDITIONS = ("kinds", "ops", "dtypes", "precisions", "reads", "results")


def _row(entry: dict[str, Any]) -> Row:
    sets = {key: frozenset(entry.get(key, ())) for key in _CONDITIONS}
    return Row(
        formats=tuple(entry["formats"]),
        source=entry["source"],
        copied=tuple(entry.get("copied", ())),
        at_least=tuple(entry.get("at-least", (0, 0))),
        first_layer=entry.get("first-layer", False),
        **sets,
    )


@dataclass(frozen=True)
class Capabilities:
    """The table for one architecture, by compute capability; without a device, for the newest."""

    compute_capability: tuple[int, int]

    def formats_by_node(self, nodes: Iterable[Node]) -> dict[Node, tuple[Formats, ...]]:
        """What the kernels of each node read and write, preferred first. Kernels that take any format are offered those
        only on which another one insists: to go elsewhere would bring reformats and nothing else."""
        asked = {node: _asked(node) for node in nodes}
        found = {node: self._formats(node, question) for node, question in asked.items()}
        rows_by_node = {node: _row_for(question, self.compute_capability) for node, question in asked.items()}
        free = {node for node, row in rows_by_node.items() if "*" in "".join(row.formats)}
        used = {layout for node, pairs in found.items() if node not in free for pair in pairs for layout in pair}
        used |= {"linear", *(_format(value) for node in found for value in (*node.inputs, *node.results))}
        for node in free:
            found[node] = tuple(pair for pair in found[node] if used.issuperset(pair)) or found[node]
        return found

    def formats_of(self, node: Node) -> tuple[Formats, ...]:
        """What the kernels of a node read and write, preferred first; linear where the table has nothing that fits."""
        return self._formats(node, _asked(node))

    def _formats(self, node: Node, asked: _Asked) -> tuple[Formats, ...]:
        current = _format(node.operand(0)), _format(node.results[0])
        if node.op in (REFORMAT, NOOP) and not node.bodies:
            return (current,)
        fitting = _fitting(node, _offered(self, asked))
        kept = [current] if node.op == REFORMAT and current in fitting else []
        return tuple(dict.fromkeys((*kept, *fitting))) or (("linear", "linear"),)

    def storage(self, dtype: str, *, copied: bool = False) -> tuple[str, ...]:
        """In which formats kernels of all kinds keep an element type; with `copied` those, too, that only convolutions
        and copies know."""
        fitting = (r for r in rows("storage") if dtype in r.dtypes and r.at_least <= self.compute_capability)
        return next((row.formats + (row.copied if copied else ()) for row in fitting), ("linear",))

    def pairs(self, text: str, read: str, written: str) -> list[Formats]:
        """`hwc8`, `hwc4>hwc8`, `*` or `*>*`, spelled out for these element types."""
        source, _, target = text.partition(">")
        if not target:
            return [(f, f) for f in (self.storage(written) if source == "*" else (source,))]
        sources = self.storage(read, copied=True) if source == "*" else (source,)
        targets = self.storage(written, copied=True) if target == "*" else (target,)
        return [(a, b) for a in sources for b in targets]


class _Asked(NamedTuple):
    """What decides which row fits a node: among others the element types of the first activation that it reads, and of
    the first one that it writes."""

    op: str
    kind: str
    precision: str
    read: str
    written: str
    first_layer: bool


@lru_cache(maxsize=4096)
def _row_for(asked: _Asked, compute_capability: tuple[int, int]) -> Row:
    for row in rows("kernel"):
        typed = _admits(row.precisions, asked.precision) and _admits(row.reads, asked.read)
        named = _admits(row.ops, asked.op) and _admits(row.kinds, asked.kind)
        if not named or not typed or not _admits(row.results, asked.written):
            continue
        if row.at_least <= compute_capability and (asked.first_layer or not row.first_layer):
            return row
    raise LookupError(f"no row of {FILE.name} fits {asked}")


def _asked(node: Node) -> _Asked:
    slot, first = next(activations(node), (0, None))
    channels, precision = _channels(first), precision_of(node)
    is_first = isinstance(channels, int) and channels <= FIRST_LAYER_CHANNELS
    written = next((writes_dtype(node, result, precision) for result in node.results if is_activation(result)), "?")
    read = written if first is None else reads_dtype(node, slot, first, precision)
    return _Asked(_named(node), kind_of(node), precision, read, written, is_first)


@lru_cache(maxsize=4096)
def _offered(table: Capabilities, asked: _Asked) -> tuple[Formats, ...]:
    """What the row says for these element types; only first layers read HWC4."""
    row = _row_for(asked, table.compute_capability)
    pairs = (pair for text in row.formats for pair in table.pairs(text, asked.read, asked.written))
    return tuple(pair for pair in pairs if asked.first_layer or "hwc4" not in pair)


def around(pairs: Sequence[Formats], layout: str) -> Formats:
    """What a kernel that computes in a layout reads and writes, of what the table allows: a first layer in HWC8 reads
    HWC4, one in CHW32 that gives FP32 writes linear."""
    return next((pair for pair in pairs if layout in pair), (layout, layout))


def _admits(condition: frozenset[str], found: str) -> bool:
    return not condition or found in condition


def _named(node: Node) -> str:
    return "trt.copy" if is_copy(node) else node.op


def _fitting(node: Node, pairs: Sequence[Formats]) -> Sequence[Formats]:
    """Parts of a buffer begin at whole groups of channels."""
    places = _places(node)
    if not places:
        return pairs
    return [pair for pair in pairs if all(place % CHANNEL_LANES[pair[0]] == 0 for place in places)]


def _places(node: Node) -> set[int]:
    """The channels at which parts begin, as multiples of these numbers; an unknown one may be anywhere."""
    if node.op not in BORDER_VIEWS or node.attrs.get("axis") != 1:
        return set()
    before = node.operands[:-1] if node.op == "trt.concat_view" else ()
    places = {node.attrs.get("start", 0), *map(_channels, before)}
    return {place if isinstance(place, int) else 1 for place in places}


def _format(value: Value | None) -> str:
    return value.type.format if value is not None and isinstance(value.type, TensorType) else "linear"


def _channels(value: Value | None) -> object:
    dims = value.type.dims if value is not None and isinstance(value.type, TensorType) else None
    return dims[1] if dims and len(dims) > 1 else None

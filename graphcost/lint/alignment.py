"""Channel counts that the hardware has to pad."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Node
from graphcost.report import Kernel
from graphcost.target import Target

from .contraction import CONTRACTIONS, channels_of, is_quantized
from .finding import Finding
from .rule import Rule, count_of, percent
from .subject import Subject, dtype_of, producer_of

_LANES = {"tf32": 4, "f16": 8, "i8": 32}
_DP4A_LANES = 4


@dataclass(frozen=True)
class _Padded:
    """A contraction, its channels, and how many more MACs it takes when these are padded to full lanes."""

    node: Node
    channels: tuple[int, int]
    lanes: int
    more_macs: int


@dataclass(frozen=True)
class UnalignedChannels(Rule):
    """Convolutions and matrix multiplications with channels that are no multiple of what the hardware takes at once:
    on tensor cores 4 for TF32, 8 for FP16, 32 for INT8; without tensor cores 4 for INT8 (DP4A).

    Reported where padding adds at least `least` to the MACs of the network, with the nodes that make it up. Left out:
    depthwise convolutions, which use no tensor cores, and channels of images (1, 3 or 4 into the first convolution),
    for which there are kernels of their own.
    """

    name = "unaligned-channels"
    help: ClassVar[str] = (
        "Kernels pad channels to full vectors: memory and time are those of the padded tensor. Source: 'Optimizing for "
        "Tensor Cores' in the TensorRT Developer Guide (TF32 4, FP16 8, INT8 32 elements); TensorFormat in "
        "NvInferRuntime.h (kCHW4)."
    )
    least: float = 0.02  # a fiftieth of the MACs: what lies below drowns in the interval of any estimate; our choice

    def find(self, subject: Subject) -> Iterator[Finding]:
        found = [padded for node in subject.nodes if (padded := _padded(node, subject)) is not None]
        total, more = subject.total.macs, sum(padded.more_macs for padded in found)
        if not total or more < self.least * total:
            return
        found.sort(key=lambda padded: -padded.more_macs)
        worst = found[0]
        into, out_of = worst.channels
        hazard = (
            f"{count_of(len(found), 'node')} with channels that are no multiple of {_lanes_told(found)}: padding adds "
            f"{percent(more / total)} to the MACs, most of it in '{worst.node.name}' ({into} → {out_of} channels)"
        )
        yield self.finding((padded.node for padded in found), hazard, "round the channels up to full multiples")


def _lanes_told(found: list[_Padded]) -> str:
    return " or ".join(map(str, sorted({padded.lanes for padded in found})))


def _padded(node: Node, subject: Subject) -> _Padded | None:
    if node.op not in CONTRACTIONS or (channels := channels_of(node)) is None or 0 in channels:
        return None
    lanes = _lanes(node, subject.target)
    if lanes is None:
        return None
    into, out_of = channels
    full_into = into if _takes_image(node, into) else _round_up(into, lanes)
    growth = full_into * _round_up(out_of, lanes) / (into * out_of) - 1
    more = round(growth * subject.works[node].macs)
    return _Padded(node, channels, lanes, more) if more else None


def _round_up(channels: int, lanes: int) -> int:
    return -(-channels // lanes) * lanes


def _takes_image(node: Node, channels: int) -> bool:
    """Whether it is a convolution of so few channels that no other one stands before."""
    if channels not in (1, 3, 4):
        return False
    above = producer_of(node.operand(0))
    while above is not None and above.op not in CONTRACTIONS:
        above = producer_of(above.operand(0))
    return above is None


def _lanes(node: Node, target: Target) -> int | None:
    """How many channels the hardware takes at once, in the type in which the node will compute."""
    kind = _numeric_type(node, target)
    if kind is None:
        return None
    if target.device is None or target.device.peak_flops_per_s(kind, "tensor"):
        return _LANES[kind]
    return _DP4A_LANES if kind == "i8" and target.device.supports("i8") else None


def _numeric_type(node: Node, target: Target) -> str | None:
    """What the node computes in, if its channels matter there. Without a device nothing is assumed of TF32."""
    allowed = target.allowed()
    if is_quantized(node) or (target.precision == "int8" and "i8" in allowed):
        return "i8"
    if dtype_of(node.operand(0)) in ("f16", "bf16") or (target.precision in ("fp16", "best") and "f16" in allowed):
        return "f16"
    return "tf32" if target.device is not None and "tf32" in allowed else None


@dataclass(frozen=True)
class TileEdge(Rule):
    """A compute-bound kernel whose output channels reach just past a tile: the last tile is computed almost for
    nothing. Looked at are tiles of 32 channels, the finest that most tensor-core kernels have.

    Needs a device. Reported for kernels that take at least `share` of the latency, where the channels reach at most
    `past` into the last tile and what is computed for nothing is at least the part `waste` of them.
    """

    name = "tile-edge"
    help: ClassVar[str] = (
        "Thread blocks compute whole tiles. Source: 'Tile Quantization' in NVIDIA's Matrix Multiplication Background "
        "User's Guide; the tiles that engines choose (kernel names with tilesizeMxNxK), whose times follow the number "
        "of full tiles."
    )
    tile: int = 32
    past: int = 8
    waste: float = 0.1
    share: float = 0.02  # of the latency; like the two before our choice

    def find(self, subject: Subject) -> Iterator[Finding]:
        by_name = {node.name: node for node in subject.nodes if node.op in CONTRACTIONS}
        kernels = subject.report.kernels if subject.report else ()
        found = [
            by_name[name]
            for kernel in kernels
            if self._matters(kernel)
            for name in kernel.origin
            if name in by_name and self._is_past_edge(by_name[name])
        ]
        if found:
            channels = ", ".join(str(width) for width in dict.fromkeys(map(_outer, found)))
            hazard = f"{count_of(len(found), 'compute-bound node')} with output channels just past a tile: {channels}"
            mitigation = f"take a few channels less, or up to the next multiple of {self.tile} for the same time"
            yield self.finding(found, hazard, mitigation)

    def _matters(self, kernel: Kernel) -> bool:
        return kernel.bound == "compute" and (kernel.share or 0.0) >= self.share

    def _is_past_edge(self, node: Node) -> bool:
        width = _outer(node)
        past = width % self.tile
        return width > self.tile and 0 < past <= self.past and self.tile - past >= self.waste * width


def _outer(node: Node) -> int:
    channels = channels_of(node)
    return 0 if channels is None else channels[1]

"""What the kernels of a target tell: tails of tiny ones, activations that stay by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from graphcost.groups import Group
from graphcost.ir import Node
from graphcost.report import Kernel

from .finding import Finding
from .rule import Rule, count_of, percent
from .subject import Subject, producer_of


@dataclass(frozen=True)
class LaunchBound(Rule):
    """A long run of kernels so small that their time is that of being launched.

    Needs a device. Reported are runs of at least `run` launch-bound kernels, if all such runs together take at least
    `share` of the latency.
    """

    name = "launch-bound"
    help: ClassVar[str] = (
        "No kernel takes less than some microseconds, however little it does: 5 us for the smallest in engines "
        "measured on Orin and on an RTX 3060 Laptop. Source: their layer profiles; 'Enqueue-Bound Workloads and CUDA "
        "Graphs' in the TensorRT Developer Guide."
    )
    run: int = 8
    share: float = 0.05  # both ours: what is shorter or cheaper is not worth the work

    def find(self, subject: Subject) -> Iterator[Finding]:
        kernels = subject.report.kernels if subject.report else ()
        runs = [run for run in _runs(kernels) if len(run) >= self.run]
        share = sum(kernel.share or 0.0 for run in runs for kernel in run)
        if share < self.share:
            return
        by_name = {node.name: node for node in subject.nodes}
        names = [name for run in runs for kernel in run for name in kernel.origin if name in by_name]
        kernels_told = f"{sum(map(len, runs)):,} launch-bound kernels in {count_of(len(runs), 'run')}"
        longest = f"the longest begins at '{max(runs, key=len)[0].name}'"
        hazard = f"{kernels_told} take {percent(share)} of the latency; {longest}"
        mitigation = "a larger batch fills them; else export fused operators, or fold what does not depend on the input"
        yield self.finding((by_name[name] for name in names), hazard, mitigation)


def _runs(kernels: tuple[Kernel, ...]) -> list[list[Kernel]]:
    """Launch-bound kernels that follow each other; what launches nothing does not count."""
    runs: list[list[Kernel]] = [[]]
    for kernel in kernels:
        if kernel.bound == "launch":
            runs[-1].append(kernel)
        elif kernel.bound != "none" and runs[-1]:
            runs.append([])
    return [run for run in runs if run]


@dataclass(frozen=True)
class SeparateActivation(Rule):
    """SiLU, Swish, Mish or HardSwish behind a convolution in FP32: TensorRT then gives it a kernel of its own.

    In FP16 and INT8 it becomes part of the convolution on recent GPUs; ReLU and its kin always do.
    """

    name = "separate-activation"
    help: ClassVar[str] = (
        "It reads and writes the whole tensor once more. Source: build logs and engines: YOLOv8n on Orin Nano "
        "(TensorRT 10.3) fuses none of them in FP32 and 50 in FP16; YOLOX-s (8.5) and EfficientViT likewise. The "
        "TensorRT Developer Guide lists convolution + GELU for FP16 and INT8 only."
    )

    def find(self, subject: Subject) -> Iterator[Finding]:
        if not subject.is_tensorrt or subject.target.precision not in ("fp32", "tf32"):
            return
        found = [group for group in subject.groups if group.kind in _SMOOTH and _follows_convolution(group)]
        if found:
            kinds = ", ".join(_SMOOTH[kind] for kind in dict.fromkeys(group.kind for group in found))
            hazard = f"{count_of(len(found), 'activation')} behind convolutions ({kinds}) run as kernels of their own"
            nodes = [node for group in found for node in group.nodes]
            yield self.finding(nodes, f"{hazard} in FP32", "allow FP16 or INT8, or use ReLU or ReLU6")


_SMOOTH = {"silu": "SiLU", "swish": "Swish", "mish": "Mish", "hard_swish": "HardSwish"}


def _follows_convolution(group: Group) -> bool:
    above = producer_of(group.inputs.get("x"))
    while above is not None and above.op == "onnx.BatchNormalization":
        above = producer_of(above.operand(0))
    return above is not None and _is_convolution(above)


def _is_convolution(node: Node) -> bool:
    return node.op in ("onnx.Conv", "onnx.ConvTranspose")

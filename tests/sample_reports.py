"""Reports made by hand: what renderers, diffs and gates are tested with."""

from __future__ import annotations

from dataclasses import replace

from graphcost.report import (
    Coverage,
    Eliminated,
    Holder,
    Kernel,
    Memory,
    ModelInfo,
    Parameters,
    Report,
    TargetInfo,
    Tensor,
    Totals,
    UnknownNode,
)

KIB, MIB = 1 << 10, 1 << 20


def make_kernel(name="conv1", latency_ms=1.0, origin=None, **changes) -> Kernel:
    """A convolution; every field can be given."""
    kernel = Kernel(
        name=name,
        op="trt.conv_act",
        kind="conv",
        phase="forward",
        tactic=None,
        precision="f16",
        origin=(name,) if origin is None else tuple(origin),
        origin_share=(1.0,) if origin is None else tuple(1 / len(origin) for _ in origin),
        inputs=(Tensor("x", "f16", (1, 64, 56, 56), "chw2"),),
        outputs=(Tensor("y", "f16", (1, 64, 56, 56), "chw2"),),
        macs=115_605_504,
        flops=231_411_712,
        elementwise_ops=200_704,
        bytes_read=475_136,
        bytes_written=401_408,
        latency_ms=latency_ms,
        latency_low_ms=None if latency_ms is None else latency_ms * 0.8,
        latency_high_ms=None if latency_ms is None else latency_ms * 1.3,
        bound="compute" if latency_ms is not None else "unknown",
        trust="analytic" if latency_ms is not None else "unknown",
        share=None,
    )
    return replace(kernel, **changes)


def make_report(kernels=(), device="nano", **changes) -> Report:
    """A report whose totals are the sums of its kernels; `totals`, `target` and `memory` take changes of their own."""
    totals = replace(_totals(kernels), **changes.pop("totals", {}))
    target = TargetInfo(device, "MAXN" if device else None, "tensorrt-8.2", "fp16", "inference", 1)
    report = Report(
        model=ModelInfo(
            name="little.onnx",
            path="little.onnx",
            opset={"ai.onnx": 17},
            inputs=(Tensor("x", "f32", (1, 3, 224, 224)),),
            outputs=(Tensor("y", "f32", (1, 1000)),),
            parameters=Parameters(25_500_000, 25_557_032, 102_228_128),
        ),
        target=replace(target, **changes.pop("target", {})),
        totals=totals,
        memory=replace(_memory(kernels), **changes.pop("memory", {})),
        kernels=tuple(_with_share(kernel, totals.latency_ms) for kernel in kernels),
        eliminated=(Eliminated("dropout", "does nothing in inference"),),
        unknown=(),
        warnings=(),
    )
    return replace(report, **changes)


def rich_report() -> Report:
    """Something of everything: a view, an unknown kernel, a warning, a name that needs quoting."""
    kernels = [
        make_kernel("conv1 + relu1", 1.25, origin=("conv1", "relu1")),
        make_kernel("Reformatting CopyNode for Output Tensor 0 to conv1", 0.0321, origin=(), kind="reformat", macs=0),
        make_kernel('custom|"op", <1>', None, kind="plugin", macs=None, flops=None, elementwise_ops=None),
        make_kernel("view", 0.0, kind="view", bound="none", macs=0, flops=0, bytes_read=0, bytes_written=0),
    ]
    return make_report(
        kernels,
        unknown=(UnknownNode('custom|"op", <1>', "trt.plugins.Custom", "no formula for this operator"),),
        warnings=("dimension 'batch' of input 'x' is not given: 1 is assumed",),
        totals={"coverage": Coverage(0.75, 0.5)},
    )


def _sum(values):
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(list(values)) else None


def _totals(kernels) -> Totals:
    latency = _sum([kernel.latency_ms for kernel in kernels])
    return Totals(
        macs=sum(kernel.macs or 0 for kernel in kernels),
        flops=sum(kernel.flops or 0 for kernel in kernels),
        elementwise_ops=sum(kernel.elementwise_ops or 0 for kernel in kernels),
        bytes_read=sum(kernel.bytes_read or 0 for kernel in kernels),
        bytes_written=sum(kernel.bytes_written or 0 for kernel in kernels),
        latency_ms=latency,
        latency_low_ms=None if latency is None else latency * 0.8,
        latency_high_ms=None if latency is None else latency * 1.3,
        latency_known_ms=sum(kernel.latency_ms or 0 for kernel in kernels),
        inferences_per_s=1000 / latency if latency else None,
        peak_activation_bytes=3 * MIB,
        arena_bytes=3 * MIB + 64 * KIB,
        weight_bytes=48 * MIB,
        workspace_bytes=None,
        context_bytes=None,
        total_memory_bytes=51 * MIB + 64 * KIB,
        kernels=len(kernels),
        coverage=Coverage(1.0, 1.0),
    )


def _memory(kernels) -> Memory:
    return Memory(
        peak_at=kernels[0].name if kernels else None,
        holders=(Holder("x", 2 * MIB), Holder("y", MIB)),
        timeline=tuple(range(MIB, MIB + len(kernels))),
        arena_lower_bound_bytes=3 * MIB,
        usable_ram_bytes=None,
        fits=None,
        fits_reason="the memory that the system keeps is not known",
    )


def _with_share(kernel, total):
    known = kernel.latency_ms is not None and total
    return replace(kernel, share=kernel.latency_ms / total if known else None)

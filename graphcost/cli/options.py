"""Options as types: what each takes, its help, and how a shell completes it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def _complete_device(typed: str) -> list[str]:
    from graphcost.device import list_devices

    return [entry.id for entry in list_devices() if entry.id.startswith(typed)]


def _complete_runtime(typed: str) -> list[str]:
    from graphcost.runtime import list_runtimes

    return [name for name in list_runtimes() if name.startswith(typed)]


def _complete_precision(typed: str) -> list[str]:
    from graphcost.runtime import PRECISIONS

    return [name for name in PRECISIONS if name.startswith(typed)]


# What to cost a model for

Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        "-d",
        metavar="NAME[@MODE]",
        autocompletion=_complete_device,
        help="What to run on: nano, orin-nano@15W, or a TOML file (see: graphcost devices).",
    ),
]
RuntimeName = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        autocompletion=_complete_runtime,
        help="tensorrt-8.2, tensorrt-10, onnx; by default the one that the device ships with.",
    ),
]
PrecisionName = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", autocompletion=_complete_precision, help="fp32, tf32, fp16, int8, best or as-exported."
    ),
]
Fp16 = Annotated[bool, typer.Option("--fp16", help="As --precision fp16.")]
Int8 = Annotated[bool, typer.Option("--int8", help="As --precision int8; with --fp16, best.")]
Best = Annotated[bool, typer.Option("--best", help="As --precision best.")]
StronglyTyped = Annotated[bool, typer.Option("--stronglyTyped", help="As --precision as-exported.")]
LayerPrecisions = Annotated[
    list[str] | None,
    typer.Option(
        "--layerPrecisions",
        "--layer-precisions",
        metavar="NAME:TYPE,…",
        help="Precision of single layers: /conv1/Conv:fp32,*:fp16; a later one overrides an earlier one.",
    ),
]
InputFormats = Annotated[
    str | None,
    typer.Option(
        "--inputIOFormats", "--input-formats", metavar="TYPE:FORMAT,…", help="What is brought to the inputs: fp16:chw."
    ),
]
OutputFormats = Annotated[
    str | None,
    typer.Option(
        "--outputIOFormats", "--output-formats", metavar="TYPE:FORMAT,…", help="What outputs are taken as: fp16:chw."
    ),
]
NoTf32 = Annotated[bool, typer.Option("--noTF32", help="Do not let TF32 stand in for FP32.")]
Batch = Annotated[int | None, typer.Option(metavar="N", help="Batch size.")]
Shapes = Annotated[
    list[str] | None,
    typer.Option(
        "--shapes",
        "--input-shapes",
        "--optShapes",
        metavar="SHAPES",
        help="Input shapes: x:1x3x224x224,y:1x5 or x:[1,3,224,224].",
    ),
]
Dims = Annotated[list[str] | None, typer.Option(metavar="NAME=N", help="Value of a symbolic dimension.")]
Insertions = Annotated[
    list[str] | None,
    typer.Option(metavar="PASS@PLACE", help="One more pass: my-pass{n=3}@after:fusion, @before:NAME, @end."),
]
Reorder = Annotated[
    bool, typer.Option("--reorder", help="Run the nodes in an order with a lower peak of memory: --insert reorder@end.")
]
PipelineText = Annotated[
    str | None, typer.Option(metavar="PASSES", help="Passes in place of the runtime's own: 'fold-shapes,dce'.")
]
CostModels = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Cost model in place of the runtime's own.")]
PluginFiles = Annotated[
    list[str] | None, typer.Option(metavar="FILE", help="Python file with more passes, cost models, operators.")
]

# A training step

Training = Annotated[
    bool, typer.Option("--training", help="Cost one training step in PyTorch: forward, backward, optimizer.")
]
Optimizer = Annotated[
    str | None, typer.Option(metavar="NAME", help="sgd, sgd-momentum (default), adam or adamw; with --training.")
]
Loss = Annotated[str | None, typer.Option(metavar="NAME", help="cross-entropy (default) or mse; with --training.")]
Amp = Annotated[str | None, typer.Option(metavar="TYPE", help="Autocast to fp16 or bf16; with --training.")]
Checkpoint = Annotated[
    list[str] | None,
    typer.Option(metavar="NODE", help="Recompute up to here: names of nodes, patterns, or sqrt; with --training."),
]
Freeze = Annotated[
    list[str] | None, typer.Option(metavar="PATTERN", help="Parameters that are not learnt: 'layer1.*'.")
]
Accumulate = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Backward passes before one optimizer step; with --training.")
]
WrittenOut = Annotated[
    bool,
    typer.Option("--written-out", help="Count operators that the exporter wrote out as they stand; with --training."),
]

# What to do with the answer

Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file, whole or not at all.")
]
FailIf = Annotated[
    list[str] | None,
    typer.Option("--fail-if", metavar="THRESHOLD", help="Exit with 1 if it holds: 'latency>30ms', 'peak_memory>1GiB'."),
]
MinCoverage = Annotated[
    str | None,
    typer.Option(metavar="SHARE", help="Exit with 4 if less of the nodes, or of the bytes, has a known formula: 95%."),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit with 4 if the runtime would refuse an operator, or may not know it.")
]
Top = Annotated[int | None, typer.Option(min=0, metavar="N", help="Rows to show, the biggest first; 0 for all.")]
Verbose = Annotated[
    int,
    typer.Option(
        "--verbose", "-v", count=True, show_default=False, help="Every row, every note; the traceback of a crash."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only the summary and the warnings; no progress.")]
Node = Annotated[str | None, typer.Option("--node", metavar="NAME", help="Name of an ONNX node.")]

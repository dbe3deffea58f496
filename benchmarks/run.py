"""Speed, as ratios measured side by side in one run: `make bench`.

Absolute times differ between machines and moments; each line sets a time against another taken in turn with it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from graphcost.api import Run
from graphcost.ir import Graph
from graphcost.pipeline import Change, Instrument, Pass

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--runs", type=int, default=9, help="pairs of runs for each line")
    parser.add_argument("--pipelines", action="store_true", help="only the passes against the import")
    parser.add_argument("--training", action="store_true", help="only training steps against inference")
    asked = parser.parse_args()
    if asked.training:
        training(runs=3)
        return
    if asked.pipelines:
        pipelines(runs=3)
        return
    runs = asked.runs
    with tempfile.TemporaryDirectory() as folder:
        cold_start(Path(folder), runs)
    pipelines(runs=3)
    variants(SHARED / "models" / "resnet50.ts17.onnx", count=1_000)
    sweeps(SHARED / "models" / "resnet50.ts17.onnx", cells=64)
    training(runs=3)
    scaling(runs=3)


def cold_start(folder: Path, runs: int) -> None:
    """A cold `graphcost analyze` against a cold `import onnx`: the budget is 1.5 × that + 0.15 s."""
    baseline = [sys.executable, "-c", "import onnx"]
    for name in ("resnet50.ts17", "torchvision/vgg16_224"):
        source = SHARED / "models" / f"{name}.onnx"
        if not source.exists():
            print(f"{name}: needs ../shared")
            continue
        filled = fill(source, folder / f"{Path(name).name}.onnx")
        analyse = [sys.executable, "-m", "graphcost", "analyze", str(filled), "--device", "nano"]
        ours, theirs = in_turn(analyse, baseline, runs)
        budget = 1.5 * theirs + 0.15
        size = filled.stat().st_size / 1e6
        print(f"{name} with {size:.0f} MB of weights: {ours:.3f} s; import onnx {theirs:.3f} s;", end=" ")
        print(f"{ours / budget:.2f} of the budget")


def fill(source: Path, target: Path) -> Path:
    """The model with zeros for the weights that were stripped."""
    import onnx
    from onnx import helper

    model = onnx.load(source)
    for tensor in model.graph.initializer:
        if not tensor.HasField("raw_data") and not (tensor.float_data or tensor.int64_data or tensor.int32_data):
            size = helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
            tensor.raw_data = bytes(size * _product(tensor.dims))
    onnx.save(model, target)
    return target


def _product(dims: Sequence[int]) -> int:
    total = 1
    for dim in dims:
        total *= dim
    return total


def in_turn(first: list[str], second: list[str], runs: int) -> tuple[float, float]:
    """Median seconds of two commands, run A B A B …, after one warm-up of each, which leaves bytecode behind as an
    installation does."""
    times: tuple[list[float], list[float]] = ([], [])
    with_bytecode = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    for turn in range(runs + 1):
        for command, kept in zip((first, second), times):
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=with_bytecode)
            if turn:
                kept.append(time.perf_counter() - began)
    return statistics.median(times[0]), statistics.median(times[1])


NETWORKS = (
    "resnet50.ts17", "jetson/yolov8n_640.ts17", "engines/mobilenet_v2_qdq", "vit_base_patch16_224.ts17",
    "jetson/inception_v4_299.ts17", "bert_mini4.ts17", "torchvision/densenet121_224",
)  # fmt: skip


def pipelines(runs: int) -> None:
    """All passes of a TensorRT against the import of the same network, warm, in processor time: the budget is 2."""
    for name in NETWORKS:
        source = SHARED / "models" / f"{name}.onnx"
        if not source.exists():
            print(f"{name}: needs ../shared")
            continue
        pairs = [import_and_passes(source) for _ in range(runs + 1)][1:]
        imported = min(took for took, _ in pairs)
        steps = min((steps for _, steps in pairs), key=lambda steps: sum(steps.values()))
        passed, costly = sum(steps.values()), sorted(steps.items(), key=lambda item: -item[1])[:3]
        print(f"{name}: import {imported * 1e3:.1f} ms, passes {passed * 1e3:.1f} ms,", end=" ")
        print(f"{passed / imported:.2f} × that; most {', '.join(f'{step} {1e3 * s:.1f}' for step, s in costly)}")


def import_and_passes(model: Path) -> tuple[float, dict[str, float]]:
    """Seconds of the processor that an import takes, and each pass after it."""
    from graphcost.analyses import VALUES
    from graphcost.api import collector_paused
    from graphcost.importer import load
    from graphcost.journal import Journal
    from graphcost.pipeline import Analyses, Context, Pipeline
    from graphcost.plugin import load_registry
    from graphcost.spec import parse_stages
    from graphcost.target import make_target

    registry, target, clock = load_registry(), make_target("orin-nano", None, "best"), Clock()
    stages = parse_stages(target.runtime.pipeline(), registry.passes)
    with collector_paused():
        began = time.process_time()
        imported = load(model, registry.operators)
        took = time.process_time() - began
        analyses = Analyses(imported.graph, registry.operators)
        analyses.put(VALUES, imported.facts)
        Pipeline(stages, (clock,)).run(imported.graph, Context(target, analyses, Journal(), lambda queries: []))
    return took, clock.seconds


class Clock(Instrument):
    """Seconds of the processor by pass, verification included."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.process_time()

    def before(self, step: Pass, graph: Graph) -> None:
        self._last = time.process_time()

    def after(self, step: Pass, graph: Graph, change: Change) -> None:
        self.seconds[step.name] = self.seconds.get(step.name, 0.0) + time.process_time() - self._last


def variants(model: Path, count: int) -> None:
    """Variants of a network (widths, resolutions, batches) in one call, against warm analyses of their own, of which a
    sample is taken: the budget is 0.25 of their time."""
    import graphcost
    from graphcost.variants import grid
    from graphcost.variants import variants as cost_all

    if not model.exists():
        print(f"{model.name}: needs ../shared")
        return
    wanted = grid([w / 8 for w in range(2, 12)], range(128, 448, 32), range(1, 11))[:count]
    sample = [v for v in wanted if v.width == 1.0][:: max(count // 200, 1)]
    options = {"device": "nano", "precision": "fp16"}

    def separately() -> None:
        for v in sample:
            rows, columns = v.resolution or (224, 224)
            graphcost.analyze(str(model), shapes=[f"{v.batch}x3x{rows}x{columns}"], **options)

    separately()
    apart = _timed(separately) / len(sample) * len(wanted)
    together = _timed(lambda: cost_all(str(model), wanted, **options))
    print(f"{len(wanted):,} variants of {model.stem}: {together:.1f} s; separately {apart:.1f} s;", end=" ")
    print(f"{together / apart:.2f} of it, {together / apart / 0.25:.2f} of the budget")


def sweeps(model: Path, cells: int) -> None:
    """A table over batches, warm, in processor time: the budget is 0.5 s for 64 cells."""
    from graphcost.sweep import sweep

    if not model.exists():
        print(f"{model.name}: needs ../shared")
        return
    for device in (None, "orin-nano"):
        took = []
        for _ in range(2):
            began = time.process_time()
            sweep(str(model), {"batch": range(1, cells + 1)}, device)
            took.append(time.process_time() - began)
        print(f"{cells} cells of {model.stem} on {device or 'no device'}: {took[-1]:.2f} s")


TRAINED = ("resnet18", "mobilenet_v2", "vit_tiny_patch16_224", "densenet121")


def training(runs: int) -> None:
    """The analysis of a training step against that of an inference of the same network, warm, in processor time: the
    budget is 4. Its memory at 256 batches against one analysis: the budget is 10."""
    for name in TRAINED:
        model = SHARED / "data" / "training" / "models" / f"{name}.train.legacy.onnx"
        if not model.exists():
            print(f"{name}: needs ../shared")
            continue
        for device in (None, "tx2"):
            pairs = [step_times(model, device) for _ in range(runs + 1)][1:]
            inference, step, allocated, reserved = (min(took) for took in zip(*pairs))
            print(f"{name} on {device or 'no device'}: step {step * 1e3:.0f} ms,", end=" ")
            print(f"{step / inference:.2f} × inference; 256 batches: peak {allocated / step:.1f} ×,", end=" ")
            print(f"through the allocator {reserved / step:.1f} ×")


def step_times(model: Path, device: str | None) -> tuple[float, float, float, float]:
    """Seconds of the processor: an inference, a training step, the peak at 256 batches, and what is reserved there."""
    from graphcost.api import run
    from graphcost.training import TrainingOptions
    from graphcost.training.batches import batch_memory

    def analysed(batch: int) -> Run:
        return run(model, device, training=TrainingOptions(), batch=batch)

    def memory(figure: str) -> None:
        found = batch_memory([analysed(batch) for batch in (2, 4)])
        for batch in range(1, 257):
            getattr(found, figure)(batch)

    inference, step = _processor(lambda: run(model, device, batch=8)), _processor(lambda: analysed(8))
    return inference, step, _processor(lambda: memory("peak_allocated_bytes")), _processor(lambda: memory("reserved"))


def _processor(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def scaling(runs: int) -> None:
    """Time per node of each pass, and of the whole, at 100,000 nodes against 1,000."""
    small, large = 1_000, 100_000
    few = [pass_times(small) for _ in range(runs * 5)]
    many = [pass_times(large) for _ in range(runs)]
    for name in many[0]:
        per_node_small = statistics.median(times[name] for times in few) / small
        per_node_large = statistics.median(times[name] for times in many) / large
        print(f"{name:28s} {per_node_large * 1e6:8.2f} µs a node at 100,000;", end=" ")
        print(f"{per_node_large / per_node_small:5.2f} × that at 1,000")


def pass_times(nodes: int) -> dict[str, float]:
    """Seconds of each pass over a synthetic chain of residual blocks, import and the report included."""
    import gc

    import graphcost
    from graphcost.instruments import Timing

    model = synthetic(nodes)
    gc.collect()
    timing = Timing()
    whole = _timed(lambda: graphcost.run(model, "nano", instruments=[timing]))
    return {**dict(timing.seconds), "the whole analysis": whole}


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def synthetic(nodes: int) -> bytes:
    """Blocks of Conv, BatchNormalization, Relu, Identity and Add; weights shared, so that the file stays small."""
    from onnx import TensorProto, helper

    made, at = [], "x"
    for block in range(nodes // 5):
        names = [f"{part}{block}" for part in "cbria"]
        made += [
            helper.make_node("Conv", [at, "w"], [names[0]], pads=[1, 1, 1, 1]),
            helper.make_node("BatchNormalization", [names[0], "s", "s", "s", "s"], [names[1]]),
            helper.make_node("Relu", [names[1]], [names[2]]),
            helper.make_node("Identity", [names[2]], [names[3]]),
            helper.make_node("Add", [names[3], at], [names[4]]),
        ]
        at = names[4]
    info = helper.make_tensor_value_info
    weights = [helper.make_tensor("w", TensorProto.FLOAT, [8, 8, 3, 3], bytes(8 * 8 * 9 * 4), raw=True),
               helper.make_tensor("s", TensorProto.FLOAT, [8], bytes(8 * 4), raw=True)]  # fmt: skip
    graph = helper.make_graph(made, "chain", [info("x", TensorProto.FLOAT, [1, 8, 16, 16])],
                              [info(at, TensorProto.FLOAT, [1, 8, 16, 16])], weights)  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()


if __name__ == "__main__":
    main()

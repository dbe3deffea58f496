"""Damaged models: bytes of real files flipped, cut and repeated, and models edited into ones that make no sense.

    python tests/mutations.py FIRST LAST

analyses those of the seeds FIRST … LAST - 1 within a gibibyte of memory and five seconds each, and prints as JSON what
went wrong. Every damage follows from its seed alone.
"""

from __future__ import annotations

import json
import random
import signal
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

MEMORY_BYTES = 1 << 30
TIME_S = 5

DEVICES = (None, None, "nano", "orin-nano")
"""Seed for seed: most damage is done to what the importer reads, some to what passes rely on."""

ROOT = Path(__file__).parents[1]

WILD = (
    0, 1, 2, 3, 5, 7, 64, -1, -2, -7, 1 << 20, 1 << 31, (1 << 31) - 1, 1 << 40, (1 << 62) + 1, (1 << 63) - 1,
    -(1 << 63),
)  # fmt: skip
"""Numbers that nobody expects."""


@lru_cache(maxsize=1)
def originals() -> tuple[tuple[str, bytes], ...]:
    """The models to damage: those inside onnx, the bundled networks, and a few with control flow and functions."""
    import onnx

    folder = Path(onnx.__file__).parent / "backend" / "test" / "data"
    paths = [*sorted(folder.glob("*/*/model.onnx")), *sorted((ROOT / "examples" / "models").glob("*.onnx"))]
    files = [(f"{path.parent.name}/{path.name}", path.read_bytes()) for path in paths]
    written = [(f"written {i}", onnx.parser.parse_model(text).SerializeToString()) for i, text in enumerate(WRITTEN)]
    return (*written * 8, *files)


def damaged(seed: int) -> tuple[str, bytes]:
    """A name that says what was done to which model, and the bytes."""
    dice = random.Random(seed)
    name, content = dice.choice(originals())
    for _ in range(dice.choice((1, 1, 2, 4))):
        change = dice.choice(BYTES) if seed % 2 else dice.choice(EDITS)
        content = change(dice, content) if seed % 2 else edited(dice, content, change)
        name = f"{name}, {change.__name__}"
    return f"seed {seed}: {name}", content


# Bytes


def flip(dice: random.Random, content: bytes) -> bytes:
    changed = bytearray(content or b"\0")
    for _ in range(dice.choice((1, 3, 30))):
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def cut(dice: random.Random, content: bytes) -> bytes:
    return content[: dice.randrange(len(content) + 1)]


def take_out(dice: random.Random, content: bytes) -> bytes:
    start = dice.randrange(len(content) + 1)
    return content[:start] + content[start + dice.randrange(40) :]


def repeat(dice: random.Random, content: bytes) -> bytes:
    start = dice.randrange(len(content) + 1)
    piece = content[start : start + dice.randrange(400)]
    return content[:start] + piece * dice.choice((2, 3, 50)) + content[start:]


def put_in(dice: random.Random, content: bytes) -> bytes:
    start = dice.randrange(len(content) + 1)
    return content[:start] + dice.choice((b"\xff" * 10, b"\x00" * 8, dice.randbytes(16))) + content[start:]


BYTES = (flip, flip, cut, take_out, repeat, put_in)


# Models


def edited(dice: random.Random, content: bytes, change: Callable[[random.Random, Any], None]) -> bytes:
    import onnx

    model = onnx.ModelProto()
    model.ParseFromString(content)
    if model.graph.node:
        change(dice, model)
    return model.SerializeToString()


def graph_of(dice: random.Random, model: Any) -> Any:
    """The graph, or one of its bodies."""
    graphs = [model.graph]
    graphs += [attr.g for node in model.graph.node for attr in node.attribute if attr.HasField("g") and attr.g.node]
    return dice.choice(graphs)


def some_node(dice: random.Random, model: Any) -> Any:
    return dice.choice(graph_of(dice, model).node)


def some_name(dice: random.Random, graph: Any) -> str:
    names = [name for node in graph.node for name in (*node.input, *node.output)]
    return dice.choice([*names, *(t.name for t in graph.initializer), "", "nobody"])


def change_dims(dice: random.Random, model: Any) -> None:
    graph = graph_of(dice, model)
    infos = [i for i in (*graph.input, *graph.output, *graph.value_info) if i.type.HasField("tensor_type")]
    for info in dice.sample(infos, min(len(infos), 2)):
        shape = info.type.tensor_type.shape
        if shape.dim and dice.random() < 0.8:
            dice.choice(shape.dim).dim_value = dice.choice(WILD)
        else:
            shape.dim.add().dim_value = dice.choice(WILD)


def change_weight(dice: random.Random, model: Any) -> None:
    """Another shape, another element type, or other numbers in a small one."""
    graph = graph_of(dice, model)
    tensors = [*graph.initializer, *(a.t for n in graph.node for a in n.attribute if a.HasField("t"))]
    if not tensors:
        return
    tensor = dice.choice(tensors)
    if dice.random() < 0.5 and tensor.data_type == 7:
        count = max(len(tensor.int64_data), len(tensor.raw_data) // 8, 1)
        tensor.ClearField("raw_data")
        tensor.int64_data[:] = [dice.choice(WILD) for _ in range(count)]
    elif dice.random() < 0.5:
        tensor.data_type = dice.randrange(30)
    elif tensor.dims:
        tensor.dims[dice.randrange(len(tensor.dims))] = dice.choice(WILD)


def change_attribute(dice: random.Random, model: Any) -> None:
    node = some_node(dice, model)
    if not node.attribute:
        node.attribute.add(name=dice.choice(("axis", "axes", "group", "to", "perm")), type=2, i=dice.choice(WILD))
        return
    attr = dice.choice(node.attribute)
    if attr.ints:
        attr.ints[dice.randrange(len(attr.ints))] = dice.choice(WILD)
    attr.i = dice.choice(WILD)
    attr.f = dice.choice((0.0, -1.0, 1e38, float("nan"), float("inf")))
    if dice.random() < 0.3:
        attr.type = dice.randrange(15)
    if dice.random() < 0.3:
        attr.name = dice.choice(("axis", "axes", "group", "kernel_shape", "strides", "perm", "to", "equation", "body"))
    if dice.random() < 0.2:
        node.attribute.remove(attr)


def change_operator(dice: random.Random, model: Any) -> None:
    from onnx import defs

    schema = dice.choice(sorted(defs.get_all_schemas(), key=lambda s: (s.domain, s.name)))
    node = some_node(dice, model)
    node.op_type, node.domain = schema.name, schema.domain


def change_operands(dice: random.Random, model: Any) -> None:
    graph = graph_of(dice, model)
    node = dice.choice(graph.node)
    names = list(node.input)
    for _ in range(dice.choice((1, 2))):
        if names and dice.random() < 0.7:
            names[dice.randrange(len(names))] = some_name(dice, graph)
        elif names and dice.random() < 0.5:
            names.pop()
        else:
            names.append(some_name(dice, graph))
    node.ClearField("input")
    node.input.extend(names)


def change_results(dice: random.Random, model: Any) -> None:
    graph = graph_of(dice, model)
    node = dice.choice(graph.node)
    names = dice.choice(([], [some_name(dice, graph)], [*node.output, "more"], [*node.output] * 2))
    node.ClearField("output")
    node.output.extend(names)


def change_opset(dice: random.Random, model: Any) -> None:
    for opset in model.opset_import:
        opset.version = dice.choice((0, 1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 17, 18, 21, 99, -1))


def lose_node(dice: random.Random, model: Any) -> None:
    graph = graph_of(dice, model)
    del graph.node[dice.randrange(len(graph.node))]


def shuffle_nodes(dice: random.Random, model: Any) -> None:
    graph = graph_of(dice, model)
    nodes = list(graph.node)
    dice.shuffle(nodes)
    graph.ClearField("node")
    graph.node.extend(nodes)


EDITS = (
    change_dims, change_weight, change_weight, change_attribute, change_attribute, change_operator, change_operands,
    change_results, change_opset, lose_node, shuffle_nodes,
)  # fmt: skip


WRITTEN = (
    """<ir_version: 9, opset_import: ["": 18]> loop (float[N, 4] x, int64 n) => (float[N, 4] y, float[M, N, 4] z)
    <bool go = {1}> {
        y, z = Loop (n, go, x) <body = turn (int64 i, bool c, float[N, 4] s)
            => (bool c2, float[N, 4] t, float[N, 4] o) {
            c2 = Identity(c) t = Add(s, x) o = Relu(t)
        }>
    }""",
    """<ir_version: 9, opset_import: ["": 18]> scan (float[4] s, float[9, 4] x) => (float[4] e, float[9, 4] y) {
        e, y = Scan <num_scan_inputs = 1, body = step (float[4] a, float[4] b) => (float[4] c, float[4] d) {
            c = Add(a, b) d = Tanh(c)
        }> (s, x)
    }""",
    """<ir_version: 9, opset_import: ["": 18]> branch (float[2, 8] x, bool c) => (float[2, K] y) {
        y = If (c) <
            then_branch = one () => (float[2, 8] a) { a = Relu(x) },
            else_branch = two () => (float[2, 4] b) <int64[2] shape = {2, 4}, int64[1] k = {4}, int64[1] ax = {1},
                int64[1] zero = {0}> { b = Slice(x, zero, k, ax) }
        >
    }""",
    """<ir_version: 9, opset_import: ["": 18, "own": 1]>
    calls (float[B, 3, 8, 8] x, float[4, 3, 3, 3] w) => (float[B, M] y) {
        c = Conv <pads = [1, 1, 1, 1]> (x, w)
        y = own.head <axis = 1> (c)
    }
    <opset_import: ["": 18], domain: "own"> head <axis> (c) => (y) {
        r = Relu(c)
        f = Flatten <axis: int = @axis> (r)
        y = Softmax <axis = -1> (f)
    }""",
    """<ir_version: 9, opset_import: ["": 18]> shapes (float[B, S, 64] x) => (float[B, H, T, D] y)
    <int64[3] part = {0, 4, 16}, int64[2] times = {2, 3}, int64 zero = {0}, int64 ten = {10}, int64 one = {1}> {
        s = Shape(x) b = Gather <axis = 0> (s, zero) u = Unsqueeze(b, zero1) r = Range(zero, ten, one)
        zero1 = Constant <value = int64[1] {0}> ()
        minus = Constant <value_ints = [-1]> ()
        full = Concat <axis = 0> (u, minus, part4)
        part4 = Constant <value_ints = [4, 16]> ()
        h = Reshape(x, full) y = Transpose <perm = [0, 2, 1, 3]> (h)
        e = Expand(r, ten1) ten1 = Constant <value_ints = [4, 10]> () t = Tile(e, times) c = ConstantOfShape(times)
        z = NonZero(t) k = TopK <axis = -1> (t, one1) one1 = Constant <value_ints = [1]> ()
    }""",
    """<ir_version: 9, opset_import: ["": 19]>
    quantised (float[1, 8, 16] x, int8[16, 32] w, float[32] ws) => (float[1, 8, 32] y)
    <float s = {0.1}, int8 z = {0}> {
        q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z)
        v = DequantizeLinear <axis = 1> (w, s) y = MatMul(d, v)
    }""",
    """<ir_version: 9, opset_import: ["": 18]> sequence (float[N, 4] x) => (float[M, 4] y) <int64 one = {1}> {
        s = SplitToSequence <axis = 0> (x, one) a = SequenceAt(s, one) t = SequenceInsert(s, a)
        y = ConcatFromSequence <axis = 0> (t)
    }""",
)


# The run


class Hang(BaseException):
    """No Exception, so that nothing in between takes it for an error of its own."""


def _stop(*_: object) -> None:
    raise Hang


def analyse(content: bytes, device: str | None = None) -> str:
    """What became of it: `analysed`, `refused`, or what went wrong. With a device it goes through its passes."""
    import graphcost
    from graphcost.errors import UserError

    signal.setitimer(signal.ITIMER_PROF, TIME_S)
    try:
        graphcost.analyze(content, device)
        return "analysed"
    except UserError:
        return "refused"
    except Hang:
        return f"took more than {TIME_S} s"
    except Exception as error:  # noqa: BLE001 - what breaks is what this looks for
        import traceback

        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def limited() -> None:
    """Hold this process to the limits."""
    import resource
    import warnings

    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    signal.signal(signal.SIGPROF, _stop)


def measured(content: bytes, device: str | None = None) -> tuple[str, float]:
    """What became of a model, and the seconds of the processor that it took: another test beside it does not count."""
    start = time.process_time()
    outcome = analyse(content, device)
    return outcome, round(time.process_time() - start, 3)


def main(first: int, last: int) -> dict[str, Any]:
    import os
    import resource
    import tempfile

    os.chdir(tempfile.mkdtemp())  # where a pass that fails would leave its reproducer
    limited()
    outcomes, wrong, slowest = {"analysed": 0, "refused": 0}, [], 0.0
    for seed in range(first, last):
        name, content = damaged(seed)
        outcome, taken = measured(content, DEVICES[seed // 2 % len(DEVICES)])
        slowest = max(slowest, taken)
        if outcome in outcomes:
            outcomes[outcome] += 1
        else:
            wrong.append(f"{name}: {outcome}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {**outcomes, "wrong": wrong, "slowest_s": slowest, "peak_mib": peak}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))

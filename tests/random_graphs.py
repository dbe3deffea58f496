"""Valid models at random: hypothesis draws operators and the shapes that fit them, one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

Shape = tuple[int, ...]
Draw = Callable[[st.SearchStrategy[Any]], Any]

SIZES = st.integers(1, 6)
SHAPES = st.lists(SIZES, min_size=1, max_size=4).map(tuple)
MOST_ELEMENTS = 100_000

UNARY = (
    "Relu",
    "Sigmoid",
    "Tanh",
    "Exp",
    "Neg",
    "Abs",
    "Erf",
    "Sqrt",
    "Identity",
    "Elu",
    "HardSwish",
    "Softplus",
    "Mish",
)
BINARY = ("Add", "Sub", "Mul", "Div", "Max", "Min")
REDUCTIONS = ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceL2", "ReduceLogSumExp")


@dataclass
class Drawing:
    """A model while it is drawn: every value is f32 and has the shape that the operators' rules give it."""

    draw: Draw
    shapes: dict[str, Shape] = field(default_factory=dict)
    nodes: list[Any] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)

    def value(self, wanted: Callable[[Shape], bool] = lambda shape: True) -> str:
        """A value that is there and fits, or a new input."""
        fitting = [name for name, shape in self.shapes.items() if wanted(shape)]
        return self.draw(st.sampled_from(fitting)) if fitting else self.add_input(self.draw(SHAPES.filter(wanted)))

    def add_input(self, shape: Shape) -> str:
        name = f"x{len(self.inputs)}"
        self.inputs.append(name)
        self.shapes[name] = shape
        return name

    def weight(self, *shape: int) -> str:
        from onnx import TensorProto

        self.weights.append(TensorProto(name=f"w{len(self.weights)}", dims=shape, data_type=TensorProto.FLOAT))
        return self.weights[-1].name

    def ints(self, values: Sequence[int]) -> str:
        from onnx import TensorProto, helper

        self.weights.append(helper.make_tensor(f"w{len(self.weights)}", TensorProto.INT64, [len(values)], values))
        return self.weights[-1].name

    def node(self, op: str, operands: Sequence[str], *results: Shape, **attrs: Any) -> None:
        from onnx import helper

        names = [f"v{len(self.nodes)}_{i}" for i in range(len(results))]
        self.nodes.append(helper.make_node(op, operands, names, name=f"n{len(self.nodes)}", **attrs))
        self.shapes.update(zip(names, results))

    def axis(self, shape: Shape) -> int:
        return self.draw(st.integers(-len(shape), len(shape) - 1))


# One operator each


def unary(d: Drawing) -> None:
    x = d.value()
    d.node(d.draw(st.sampled_from(UNARY)), [x], d.shapes[x])


def binary(d: Drawing) -> None:
    """The second operand broadcasts: some of its dimensions are 1, leading ones absent."""
    x = d.value()
    shape = d.shapes[x]
    other = tuple(n if d.draw(st.booleans()) else 1 for n in shape)[d.draw(st.integers(0, len(shape))) :]
    d.node(d.draw(st.sampled_from(BINARY)), [x, d.weight(*other)], shape)


def meeting(d: Drawing) -> None:
    """Two values of one shape."""
    x = d.value()
    y = d.value(lambda shape: shape == d.shapes[x])
    d.node(d.draw(st.sampled_from(BINARY)), [x, y], d.shapes[x])


def softmax(d: Drawing) -> None:
    x = d.value()
    d.node(d.draw(st.sampled_from(("Softmax", "LogSoftmax"))), [x], d.shapes[x], axis=d.axis(d.shapes[x]))


def matmul(d: Drawing) -> None:
    x, columns = d.value(lambda shape: len(shape) > 1), d.draw(SIZES)
    shape = d.shapes[x]
    d.node("MatMul", [x, d.weight(shape[-1], columns)], (*shape[:-1], columns))


def gemm(d: Drawing) -> None:
    x, columns = d.value(lambda shape: len(shape) == 2), d.draw(SIZES)
    rows, inner = d.shapes[x]
    d.node("Gemm", [x, d.weight(columns, inner), d.weight(columns)], (rows, columns), transB=1)


def convolution(d: Drawing) -> None:
    x = d.value(lambda shape: len(shape) == 4)
    batch, channels, *image = d.shapes[x]
    filters, kernel, stride, pad = (
        d.draw(SIZES),
        d.draw(st.integers(1, 3)),
        d.draw(st.integers(1, 2)),
        d.draw(st.integers(0, 2)),
    )
    if min(image) + 2 * pad < kernel:
        return
    group = d.draw(st.sampled_from([1, channels]))
    size = [(n + 2 * pad - kernel) // stride + 1 for n in image]
    weight = d.weight(filters * group, channels // group, kernel, kernel)
    result = (batch, filters * group, *size)
    d.node("Conv", [x, weight], result, pads=[pad] * 4, strides=[stride] * 2, group=group)


def pooling(d: Drawing) -> None:
    x = d.value(lambda shape: len(shape) == 4)
    batch, channels, *image = d.shapes[x]
    kernel = d.draw(st.integers(1, min(image)))
    result = (batch, channels, *(n - kernel + 1 for n in image))
    d.node(d.draw(st.sampled_from(("MaxPool", "AveragePool"))), [x], result, kernel_shape=[kernel] * 2)


def layer_norm(d: Drawing) -> None:
    x = d.value()
    shape = d.shapes[x]
    d.node("LayerNormalization", [x, d.weight(shape[-1]), d.weight(shape[-1])], shape)


def batch_norm(d: Drawing) -> None:
    x = d.value(lambda shape: len(shape) > 1)
    d.node("BatchNormalization", [x, *(d.weight(d.shapes[x][1]) for _ in range(4))], d.shapes[x])


def reduction(d: Drawing) -> None:
    x, keep = d.value(), d.draw(st.integers(0, 1))
    shape, axis = d.shapes[x], d.axis(d.shapes[x])
    result = tuple(n for i, n in enumerate(shape) if i != axis % len(shape))
    kept = tuple(1 if i == axis % len(shape) else n for i, n in enumerate(shape))
    if keep or result:
        operands = [x, d.ints([axis])]
        d.node(d.draw(st.sampled_from(REDUCTIONS)), operands, kept if keep else result, keepdims=keep)


def reshape(d: Drawing) -> None:
    """The elements dealt out anew: one dimension may be -1."""
    x = d.value()
    total = math.prod(d.shapes[x])
    first = d.draw(st.sampled_from([n for n in range(1, total + 1) if total % n == 0]))
    target = (first, total // first)
    d.node("Reshape", [x, d.ints(d.draw(st.sampled_from([target, (-1, target[1]), (first, -1)])))], target)


def transpose(d: Drawing) -> None:
    x = d.value()
    order = d.draw(st.permutations(range(len(d.shapes[x]))))
    d.node("Transpose", [x], tuple(d.shapes[x][axis] for axis in order), perm=order)


def concat(d: Drawing) -> None:
    x = d.value()
    shape, axis, times = d.shapes[x], d.axis(d.shapes[x]), d.draw(st.integers(1, 3))
    joined = tuple(n * times if i == axis % len(shape) else n for i, n in enumerate(shape))
    d.node("Concat", [x] * times, joined, axis=axis)


def split(d: Drawing) -> None:
    x = d.value(lambda shape: shape[0] > 1)
    first, *rest = d.shapes[x]
    cut = d.draw(st.integers(1, first - 1))
    d.node("Split", [x, d.ints([cut, first - cut])], (cut, *rest), (first - cut, *rest), axis=0)


def part(d: Drawing) -> None:
    x = d.value()
    shape, axis = d.shapes[x], d.axis(d.shapes[x])
    length = shape[axis]
    start, end = sorted((d.draw(st.integers(0, length - 1)), d.draw(st.integers(1, length))))
    if start < end:
        result = tuple(end - start if i == axis % len(shape) else n for i, n in enumerate(shape))
        d.node("Slice", [x, d.ints([start]), d.ints([end]), d.ints([axis])], result)


def gather(d: Drawing) -> None:
    x = d.value()
    shape, axis = d.shapes[x], d.axis(d.shapes[x])
    chosen = d.draw(st.lists(st.integers(0, shape[axis] - 1), min_size=1, max_size=3))
    result = tuple(len(chosen) if i == axis % len(shape) else n for i, n in enumerate(shape))
    d.node("Gather", [x, d.ints(chosen)], result, axis=axis)


def unsqueeze(d: Drawing) -> None:
    x = d.value(lambda shape: len(shape) < 5)
    d.node("Unsqueeze", [x, d.ints([0])], (1, *d.shapes[x]))


def expand(d: Drawing) -> None:
    x, times = d.value(lambda shape: len(shape) < 5), d.draw(SIZES)
    d.node("Expand", [x, d.ints([times, *(1 for _ in d.shapes[x])])], (times, *d.shapes[x]))


def pad(d: Drawing) -> None:
    x = d.value()
    shape = d.shapes[x]
    before, after = (d.draw(st.lists(st.integers(0, 2), min_size=len(shape), max_size=len(shape))) for _ in range(2))
    d.node("Pad", [x, d.ints([*before, *after])], tuple(map(sum, zip(shape, before, after))))


def resize(d: Drawing) -> None:
    x = d.value(lambda shape: len(shape) == 4)
    batch, channels, height, width = d.shapes[x]
    target = (batch, channels, height * 2, width * 2)
    d.node("Resize", [x, "", "", d.ints(target)], target, mode=d.draw(st.sampled_from(("nearest", "linear"))))


OPERATORS = (
    unary, unary, binary, meeting, softmax, matmul, matmul, gemm, convolution, convolution, pooling, layer_norm,
    batch_norm, reduction, reshape, transpose, concat, split, part, gather, unsqueeze, expand, pad, resize,
)  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """A model and the shape that each of its values must have."""

    model: Any
    shapes: dict[str, Shape]

    def __repr__(self) -> str:
        import onnx

        return str(onnx.printer.to_text(self.model))


@st.composite
def drawn_models(draw: Draw, most_nodes: int = 14) -> Drawn:
    """A model of up to `most_nodes` nodes; what nobody reads is an output."""
    drawing = Drawing(draw)
    drawing.add_input(draw(st.sampled_from([(1, 3, 6, 6), (2, 5), (2, 3, 4)])))
    for _ in range(draw(st.integers(1, most_nodes))):
        before = len(drawing.nodes)
        draw(st.sampled_from(OPERATORS))(drawing)
        if len(drawing.nodes) > before and max(map(math.prod, drawing.shapes.values())) > MOST_ELEMENTS:
            break
    return Drawn(_model(drawing), drawing.shapes)


def _model(drawing: Drawing) -> Any:
    from onnx import TensorProto, helper

    def info(name: str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, drawing.shapes[name])

    read = {name for node in drawing.nodes for name in node.input}
    ends = [name for name in drawing.shapes if name not in read]
    graph = helper.make_graph(
        drawing.nodes, "drawn", [info(name) for name in drawing.inputs], [info(name) for name in ends], drawing.weights
    )
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)

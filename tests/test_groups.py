"""Recognised groups: every way of writing that is known, what looks alike and is none, and the real networks."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

import graphcost.groups.group as group_room
from graphcost.groups import GROUPS, Group
from graphcost.ir import Graph, Node, Value
from graphcost.pipeline import Analyses
from graphcost.rewrite import Match, Pattern, find, outline
from graphcost.text import parse_graph, print_graph
from graphcost.types import TensorType

NUMBERS = {
    "half": 0.5, "one": 1.0, "two": 2.0, "three": 3.0, "six": 6.0, "zero": 0.0, "cubic": 0.044715,
    "root2": 1.41421354, "invroot2": 0.70710677, "slope": 0.7978846, "slopecubic": 0.0356774, "sixth": 0.16666667,
    "eps": 1e-5, "beta": 1.702, "scale": 0.125, "eight": 8.0, "minushalf": -0.5, "big": -10000.0,
}  # fmt: skip
WEIGHTS = "".join(f"  weight %{name}: f32[] = [{number!r}]\n" for name, number in NUMBERS.items())
AXES = "  weight %last: i64[1] = [-1]\n  weight %gamma: f32[64]\n  weight %bias: f32[64]\n  weight %shape: i64[4]\n"


def recognised(*lines: str, outputs: str = "y") -> list[Group]:
    """The groups of a graph in which each line is `name = Op(operands) attributes`; x, q, k, v and m are inputs."""
    inputs = ", ".join(f"%{name}: f32[2,4,16,64]" for name in ("x", "q", "k", "v", "m"))
    nodes = "".join(f"  {_node(line)}\n" for line in lines)
    returned = ", ".join(f"%{name}" for name in outputs.split())
    graph = parse_graph(f"graph g({inputs}) {{\n{WEIGHTS}{AXES}{nodes}  return {returned}\n}}")
    graph.verify()
    return list(groups_of(graph))


def _node(line: str) -> str:
    """`y = Mul(x, half)` → `%y: f32[2,4,16,64] = onnx.Mul(%x, %half)`."""
    name, call = line.split(" = ", 1)
    op, rest = call.split("(", 1)
    operands, attrs = rest.rsplit(")", 1)
    results = ", ".join(f"%{n}: f32[2,4,16,64]" for n in name.split())
    return f"{results} = onnx.{op}({', '.join(f'%{o.strip()}' for o in operands.split(','))}){attrs}"


def groups_of(graph: Graph) -> tuple[Group, ...]:
    before = print_graph(graph)
    found = Analyses(graph).get(GROUPS)
    assert print_graph(graph) == before, "recognition must leave the graph alone"
    nodes = [node for group in found for node in group.nodes]
    assert len(nodes) == len(set(nodes)), "groups must not overlap"
    return found


def only(*lines: str, outputs: str = "y") -> Group:
    (group,) = recognised(*lines, outputs=outputs)
    return group


def roles(group: Group) -> dict[str, str]:
    return {role: value.name for role, value in group.inputs.items()}


def kinds(groups: list[Group]) -> list[str]:
    return [group.kind for group in groups]


# Activations

ERF = ["z = Div(x, root2)", "e = Erf(z)", "g = Add(e, one)"]
TANH_OF = ["i = Add(x, c)", "z = Mul(i, slope)", "t = Tanh(z)", "g = Add(one, t)"]
CUBE = ["p = Pow(x, three)", "c = Mul(p, cubic)"]
ENDINGS = [
    ["a = Mul(x, g)", "y = Mul(a, half)"],
    ["a = Mul(x, half)", "y = Mul(a, g)"],
    ["a = Mul(half, g)", "y = Mul(a, x)"],
    ["a = Mul(g, x)", "y = Div(a, two)"],
    ["a = Div(x, two)", "y = Mul(g, a)"],
]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("scaled", ["z = Div(x, root2)", "z = Mul(x, invroot2)", "z = Mul(invroot2, x)"])
def test_gelu_with_erf_in_every_association(scaled: str, ending: list[str]):
    found = only(scaled, *ERF[1:], *ending)
    assert (found.kind, roles(found), found.attrs) == ("gelu", {"x": "x"}, {"approximate": "none"})
    assert len(found.nodes) == 5


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "cube",
    [
        CUBE,
        ["s = Mul(x, x)", "p = Mul(s, x)", "c = Mul(cubic, p)"],
        ["s = Mul(x, x)", "w = Mul(s, cubic)", "c = Mul(w, x)"],
        ["w = Mul(cubic, x)", "s = Mul(w, x)", "c = Mul(s, x)"],
    ],
)
def test_gelu_with_tanh_in_every_association(cube: list[str], ending: list[str]):
    found = only(*cube, *TANH_OF, *ending)
    assert (found.kind, roles(found), found.attrs) == ("gelu", {"x": "x"}, {"approximate": "tanh"})


@pytest.mark.parametrize(
    "inner",
    [
        ["s = Mul(x, x)", "w = Mul(s, cubic)", "i = Add(w, one)", "j = Mul(x, slope)", "z = Mul(j, i)"],
        ["w = Mul(x, cubic)", "s = Mul(w, x)", "i = Add(one, s)", "j = Mul(x, i)", "z = Mul(j, slope)"],
    ],
)
def test_gelu_with_the_cube_factored_out(inner: list[str]):
    found = only(*inner, "t = Tanh(z)", "g = Add(t, one)", "h = Mul(x, half)", "y = Mul(h, g)")
    assert (found.kind, found.attrs) == ("gelu", {"approximate": "tanh"})


def test_gelu_with_the_half_inside_the_gate():
    found = only("z = Mul(x, invroot2)", "e = Erf(z)", "h = Mul(e, half)", "g = Add(h, half)", "y = Mul(x, g)")
    assert found.kind == "gelu"


def test_gelu_of_something_else_than_its_argument_is_none():
    assert recognised("z = Div(x, root2)", "e = Erf(z)", "g = Add(e, one)", "a = Mul(q, g)", "y = Mul(a, half)") == []


def test_a_gelu_whose_inside_is_read_elsewhere_is_none():
    assert recognised(*ERF, "a = Mul(x, g)", "y = Mul(a, half)", outputs="y g") == []


ACTIVATIONS = [
    ("silu", ["s = Sigmoid(x)", "y = Mul(s, x)"]),
    ("silu", ["n = Neg(x)", "e = Exp(n)", "o = Add(one, e)", "y = Div(x, o)"]),
    ("swish", ["b = Mul(x, beta)", "s = Sigmoid(b)", "y = Mul(x, s)"]),
    ("mish", ["p = Softplus(x)", "t = Tanh(p)", "y = Mul(x, t)"]),
    ("mish", ["e = Exp(x)", "o = Add(e, one)", "p = Log(o)", "t = Tanh(p)", "y = Mul(t, x)"]),
    ("hard_sigmoid", ["a = Add(x, three)", "c = Clip(a, zero, six)", "y = Div(c, six)"]),
    ("hard_sigmoid", ["d = Mul(x, sixth)", "a = Add(d, half)", "y = Clip(a, zero, one)"]),
    ("hard_swish", ["a = Add(x, three)", "c = Clip(a, zero, six)", "d = Div(c, six)", "y = Mul(x, d)"]),
    ("hard_swish", ["a = Add(x, three)", "c = Clip(a, zero, six)", "d = Mul(x, c)", "y = Div(d, six)"]),
    ("hard_swish", ["a = Add(x, three)", "c = Clip(a, zero, six)", "d = Mul(x, c)", "y = Mul(d, sixth)"]),
    ("hard_swish", ["a = Add(three, x)", "r = Relu(a)", "c = Min(r, six)", "d = Mul(c, sixth)", "y = Mul(x, d)"]),
    ("hard_swish", ["h = HardSigmoid(x) alpha=0.1666667 beta=0.5", "y = Mul(x, h)"]),
    ("softmax", ["h = ReduceMax(x)", "d = Sub(x, h)", "e = Exp(d)", "s = ReduceSum(e, last)", "y = Div(e, s)"]),
    ("softmax", ["e = Exp(x)", "s = ReduceSum(e, last)", "r = Reciprocal(s)", "y = Mul(e, r)"]),
    ("gelu", ["y = Gelu(x)"]),
    ("hard_swish", ["y = HardSwish(x)"]),
    ("hard_sigmoid", ["y = HardSigmoid(x)"]),
    ("mish", ["y = Mish(x)"]),
    ("swish", ["y = Swish(x)"]),
    ("softmax", ["y = Softmax(x) axis=-1"]),
]


@pytest.mark.parametrize(("kind", "lines"), ACTIVATIONS)
def test_activations_in_the_ways_in_which_they_are_written(kind: str, lines: list[str]):
    found = only(*lines)
    assert (found.kind, roles(found), len(found.nodes)) == (kind, {"x": "x"}, len(lines))


def quantized(lines: list[str]) -> list[str]:
    """The same with Q/DQ behind each node but the last; whoever read the node reads what comes back."""
    written, names = [], list[str]()
    for line in lines:
        name, call = line.split(" = ", 1)
        for earlier in names:
            call = re.sub(rf"\b{earlier}\b(?!\()", f"{earlier}_dq", call)
        written += [f"{name} = {call}", f"{name}_q = QuantizeLinear({name}, scale)"]
        written += [f"{name}_dq = DequantizeLinear({name}_q, scale)"]
        names.append(name)
    return written[:-2]


@pytest.mark.parametrize(("kind", "lines"), ACTIVATIONS)
def test_activations_with_quantizers_between_their_operations(kind: str, lines: list[str]):
    written = quantized(lines)
    found = only(*written)
    assert (found.kind, roles(found), len(found.nodes)) == (kind, {"x": "x"}, len(written))


def test_a_quantizer_that_others_read_does_not_belong_to_a_group():
    assert kinds(recognised(*quantized(["s = Sigmoid(x)", "y = Mul(s, x)"]), outputs="y s_q")) == []


def test_the_slope_of_swish_is_told():
    assert only("b = Mul(x, beta)", "s = Sigmoid(b)", "y = Mul(x, s)").attrs == {"beta": 1.702}


@pytest.mark.parametrize(
    "lines",
    [
        ["s = Sigmoid(x)", "y = Mul(s, q)"],
        ["h = HardSigmoid(x) alpha=0.2 beta=0.5", "y = Mul(x, h)"],
        ["a = Add(x, three)", "c = Clip(a, zero, one)", "d = Div(c, six)", "y = Mul(x, d)"],
        ["p = Softplus(x)", "t = Tanh(p)", "y = Mul(q, t)"],
        ["e = Exp(x)", "s = ReduceSum(q, last)", "y = Div(e, s)"],
    ],
)
def test_what_only_looks_like_an_activation_is_none(lines: list[str]):
    assert [found.kind for found in recognised(*lines) if len(found.nodes) > 1] == []


# Normalisations

CENTRED = ["a = ReduceMean(x, last)", "d = Sub(x, a)"]
VARIANCE = ["p = Pow(d, two)", "w = ReduceMean(p, last)", "e = Add(w, eps)"]
AFFINE = ["s = Mul(n, gamma)", "y = Add(s, bias)"]


@pytest.mark.parametrize(
    "normal",
    [
        [*CENTRED, *VARIANCE, "r = Sqrt(e)", "n = Div(d, r)"],
        [*CENTRED, *VARIANCE, "r = Pow(e, half)", "n = Div(d, r)"],
        [*CENTRED, *VARIANCE, "r = Sqrt(e)", "i = Reciprocal(r)", "n = Mul(i, d)"],
        [*CENTRED, *VARIANCE, "r = Sqrt(e)", "i = Div(one, r)", "n = Mul(d, i)"],
        [*CENTRED, *VARIANCE, "r = Pow(e, minushalf)", "n = Mul(d, r)"],
        [*CENTRED, "p = Mul(d, d)", *VARIANCE[1:], "r = Sqrt(e)", "n = Div(d, r)"],
        [*CENTRED, "c = Sub(x, a)", "p = Pow(c, two)", *VARIANCE[1:], "r = Sqrt(e)", "n = Div(d, r)"],
        [*CENTRED, 'c = Cast(d) to="f32"', "p = Pow(c, two)", *VARIANCE[1:], "r = Sqrt(e)", "n = Div(d, r)"],
        [*CENTRED, *VARIANCE[:2], "r = Sqrt(w)", "e = Add(r, eps)", "n = Div(d, e)"],
    ],
)
def test_layer_norm_in_the_ways_in_which_it_is_written(normal: list[str]):
    found = only(*normal, *AFFINE)
    assert (found.kind, roles(found)) == ("layer_norm", {"x": "x", "scale": "gamma", "bias": "bias"})
    assert len(found.nodes) == len(normal) + 2
    assert found.attrs == {"axes": (-1,), "epsilon": 1e-5}


@pytest.mark.parametrize(("affine", "named"), [([], {}), (["s = Mul(n, gamma)"], {"scale": "gamma"})])
def test_layer_norm_without_scale_or_bias(affine: list[str], named: dict[str, str]):
    end = "s" if affine else "n"
    found = only(*CENTRED, *VARIANCE, "r = Sqrt(e)", "n = Div(d, r)", *affine, outputs=end)
    assert (found.kind, roles(found)) == ("layer_norm", {"x": "x", **named})


def test_layer_norm_as_tensorflow_writes_it():
    found = only(
        *CENTRED, "p = Mul(d, d)", *VARIANCE[1:], "r = Sqrt(e)", "i = Reciprocal(r)", "t = Mul(i, gamma)",
        "f = Mul(x, t)", "g = Mul(a, t)", "h = Sub(bias, g)", "y = Add(f, h)",
    )  # fmt: skip
    assert (found.kind, roles(found)) == ("layer_norm", {"x": "x", "scale": "gamma", "bias": "bias"})


def test_a_residual_behind_a_layer_norm_does_not_belong_to_it():
    found = only(*CENTRED, *VARIANCE, "r = Sqrt(e)", "n = Div(d, r)", "s = Mul(n, gamma)", "y = Add(s, q)")
    assert [node.name for node in found.nodes][-1] == "s"


def test_layer_normalization_itself_is_a_group():
    found = only("y = LayerNormalization(x, gamma, bias) axis=-1 epsilon=1e-05")
    assert (found.kind, roles(found)) == ("layer_norm", {"x": "x", "scale": "gamma", "bias": "bias"})
    assert found.attrs == {"axis": -1, "epsilon": 1e-05}


@pytest.mark.parametrize(
    "normal",
    [
        ["p = Pow(x, two)", *VARIANCE[1:], "r = Sqrt(e)", "n = Div(x, r)"],
        ["p = Mul(x, x)", *VARIANCE[1:], "r = Sqrt(e)", "i = Reciprocal(r)", "n = Mul(x, i)"],
        ["p = Pow(x, two)", *VARIANCE[1:], "r = Sqrt(e)", "i = Div(one, r)", "c = Mul(i, x)", 'n = Cast(c) to="f16"'],
    ],
)
def test_rms_norm_in_the_ways_in_which_it_is_written(normal: list[str]):
    found = only(*normal, "y = Mul(gamma, n)")
    assert (found.kind, roles(found)) == ("rms_norm", {"x": "x", "scale": "gamma"})
    assert found.attrs == {"axes": (-1,), "epsilon": 1e-5}


@pytest.mark.parametrize(
    "lines",
    [
        ["l = ReduceL2(x, last)", "y = Div(x, l)"],
        ["l = ReduceL2(x, last)", "c = Clip(l, eps)", "b = Expand(c, shape)", "y = Div(x, b)"],
        ["p = Mul(x, x)", "w = ReduceSum(p, last)", "l = Sqrt(w)", "c = Max(l, eps)", "y = Div(x, c)"],
        ["w = ReduceSumSquare(x, last)", "e = Add(w, eps)", "l = Sqrt(e)", "r = Reciprocal(l)", "y = Mul(x, r)"],
        ["y = LpNormalization(x) axis=-1 p=2"],
    ],
)
def test_l2_norm_in_the_ways_in_which_it_is_written(lines: list[str]):
    found = only(*lines)
    assert (found.kind, roles(found), len(found.nodes)) == ("l2_norm", {"x": "x"}, len(lines))


# Attention

SCORES = ["t = Transpose(k) perm=[0,1,3,2]", "s = MatMul(q, t)"]


@pytest.mark.parametrize(
    ("scaled", "scale"),
    [
        ([*SCORES, "a = Mul(s, scale)"], 0.125),
        ([*SCORES, "a = Div(s, eight)"], 0.125),
        (["j = Mul(q, scale)", SCORES[0], "a = MatMul(j, t)"], 0.125),
        (["j = Mul(scale, q)", SCORES[0], "u = Mul(t, half)", "a = MatMul(j, u)"], 0.0625),
        ([SCORES[0], "a = MatMul(q, t)"], 1),
    ],
)
@pytest.mark.parametrize(
    ("masked", "named"),
    [
        (["b = Identity(a)"], None),
        (["b = Add(a, m)"], {"mask": "m"}),
        (["b = Add(m, a)"], {"mask": "m"}),
        (["b = Where(m, big, a)"], {"mask": "m"}),
        (["c = Add(a, x)", "d = Reshape(c, shape)", "b = Add(d, m)"], {"mask": "x", "mask_2": "m"}),
        (["c = Tanh(a)", "b = Add(c, m)"], {"mask": "m"}),
    ],
)
def test_attention_with_each_scaling_and_mask(scaled, scale, masked, named):
    lines = [*scaled, *masked, "p = Softmax(b) axis=-1", "y = MatMul(p, v)"]
    if named is None:
        lines = [*scaled, "p = Softmax(a) axis=-1", "y = MatMul(p, v)"]
    found = only(*lines)
    assert (found.kind, roles(found)) == ("attention", {"q": "q", "k": "k", "v": "v", **(named or {})})
    assert found.attrs == {"scale": scale}
    assert len(found.nodes) == len(lines)


def test_attention_with_quantizers_between_its_operations():
    lines = quantized(["qt = Transpose(q)", *SCORES[:1], "s = MatMul(qt, t)", "a = Mul(s, scale)", "b = Add(a, m)"])
    weights = ["p = Softmax(b) axis=-1", "pq = QuantizeLinear(p, scale)", "pd = DequantizeLinear(pq, scale)"]
    found = only(*lines, *weights, "y = MatMul(pd, v)")
    assert (found.kind, roles(found)) == ("attention", {"q": "q", "k": "k", "v": "v", "mask": "m"})
    assert len(found.nodes) == len(lines) + 4


def test_attention_takes_in_the_reshapes_that_split_and_merge_heads():
    split = [f"{n}{n} = Reshape({n}, shape)\n" for n in "qkv"]
    found = only(
        *map(str.strip, split), "qt = Transpose(qq)", "kt = Transpose(kk)", "vt = Transpose(vv)", "s = MatMul(qt, kt)",
        "p = Softmax(s) axis=-1", "o = MatMul(p, vt)", "h = Transpose(o)", "y = Reshape(h, shape)",
    )  # fmt: skip
    assert (roles(found), len(found.nodes)) == ({"q": "q", "k": "k", "v": "v"}, 11)
    assert [value.name for value in found.outputs] == ["y"]


def test_a_transpose_that_others_read_stays_outside():
    found = only(*SCORES, "p = Softmax(s) axis=-1", "y = MatMul(p, v)", outputs="y t")
    assert roles(found) == {"q": "q", "k": "t", "v": "v"}


def test_attention_with_the_values_on_the_left():
    found = only(*SCORES, "p = Softmax(s) axis=-1", "u = Transpose(p) perm=[0,1,3,2]", "y = MatMul(v, u)")
    assert (found.kind, roles(found)) == ("attention", {"q": "q", "k": "k", "v": "v"})


def test_attention_with_conversions_and_dropout_around_the_softmax():
    found = only(*SCORES, "p = Softmax(s) axis=-1", 'c = Cast(p) to="f16"', "y = MatMul(c, v)")
    assert found.kind == "attention"
    found = only(*SCORES, "p = Softmax(s) axis=-1", "c = Dropout(p)", "y = MatMul(c, v)")
    assert found.kind == "attention"


def test_attention_whose_softmax_is_written_out():
    found = only(
        *SCORES, "h = ReduceMax(s, last)", "d = Sub(s, h)", "e = Exp(d)", "w = ReduceSum(e, last)", "p = Div(e, w)",
        "y = MatMul(p, v)",
    )  # fmt: skip
    assert (found.kind, len(found.nodes), found.attrs) == ("attention", 8, {"scale": 1})


def test_a_softmax_between_two_linear_layers_is_no_attention():
    assert kinds(recognised("s = MatMul(x, gamma)", "p = Softmax(s) axis=-1", "y = MatMul(p, v)")) == ["softmax"]


def test_a_softmax_over_another_axis_is_no_attention():
    assert kinds(recognised(*SCORES, "p = Softmax(s) axis=1", "y = MatMul(p, v)")) == ["softmax"]
    assert kinds(recognised(*SCORES, "p = Softmax(s) axis=3", "y = MatMul(p, v)")) == ["attention"]


@pytest.mark.parametrize(
    "halves",
    [
        ["a = Slice(x, last)", "b = Slice(x, shape)", "n = Neg(b)", "c = Concat(n, a) axis=-1"],
        ["a b = Split(x) axis=-1 num_outputs=2", "n = Neg(b)", "c = Concat(n, a) axis=-1"],
    ],
)
def test_rotary_embedding_with_slices_or_a_split(halves: list[str]):
    found = only("e = Mul(x, q)", *halves, "f = Mul(c, k)", "y = Add(e, f)")
    assert (found.kind, roles(found)) == ("rotary_embedding", {"x": "x", "cos": "q", "sin": "k"})


# The analysis


def test_groups_do_not_overlap_and_the_larger_one_wins():
    found = recognised("a = Sigmoid(x)", "b = Mul(x, a)", *SCORES, "p = Softmax(s) axis=-1", "y = MatMul(p, b)")
    assert kinds(found) == ["silu", "attention"]


def test_groups_come_in_the_order_in_which_they_end():
    found = recognised("h = HardSwish(x)", "s = Sigmoid(h)", "g = Mul(h, s)", "y = Gelu(g)")
    assert kinds(found) == ["hard_swish", "silu", "gelu"]


def test_a_group_can_be_outlined():
    found = only(*CENTRED, *VARIANCE, "r = Sqrt(e)", "n = Div(d, r)", *AFFINE)
    graph = found.nodes[0].graph
    assert graph is not None
    kernel = outline(graph, found.nodes, "trt.layer_norm")
    graph.verify()
    assert kernel.results == found.outputs
    assert set(found.inputs.values()) <= set(kernel.inputs)


def test_the_number_of_attempts_grows_with_the_graph_and_not_faster(monkeypatch):
    attempts = Counter()

    def counting(pattern: Pattern, end: Node) -> Match:
        attempts[end.graph] += 1
        return find(pattern, end)

    monkeypatch.setattr(group_room, "find", counting)
    small, large = blocks(50), blocks(5000)
    assert (len(groups_of(small)), len(groups_of(large))) == (50, 5000)
    assert attempts[large] == 100 * attempts[small]


def blocks(count: int) -> Graph:
    """`count` blocks of x + conv(x) · sigmoid(conv(x))."""
    kind = TensorType("f32", (8,))
    graph = Graph("blocks", [Value("x", kind)])
    weight, value = graph.add_weight(Value("w", kind)), graph.inputs[0]

    def append(op: str, *operands: Value) -> Value:
        return graph.append(Node(op, operands, [Value(f"v{len(graph)}", kind)])).results[0]

    for _ in range(count):
        conv = append("onnx.Conv", value, weight)
        value = append("onnx.Add", append("onnx.Mul", conv, append("onnx.Sigmoid", conv)), value)
    graph.outputs = [value]
    return graph


# Real networks

TRANSFORMER = {"attention": 12, "gelu": 12}
COUNTS = {
    "bert_mini4": {"attention": 4, "gelu": 4, "layer_norm": 9},
    "gpt2_mini4": {"attention": 4, "gelu": 4, "layer_norm": 9},
    "llama_mini4": {"attention": 4, "rms_norm": 9, "rotary_embedding": 8, "silu": 4},
    "vit_base_patch16_224": {**TRANSFORMER, "layer_norm": 25},
    "swin_tiny_patch4_window7_224": {**TRANSFORMER, "layer_norm": 29},
    "torchvision/swin_t_224": {**TRANSFORMER, "layer_norm": 29},
    "jetson/vit_tiny_patch16_3class_224": {**TRANSFORMER, "layer_norm": 25},
    "convnext_tiny": {"gelu": 18, "layer_norm": 23},
    "torchvision/convnext_tiny_224": {"gelu": 18, "layer_norm": 23},
    "jetson/efficientformer_l1_224": {"attention": 1, "gelu": 15, "layer_norm": 3},
    "mobilenetv3_large_100": {"hard_sigmoid": 8, "hard_swish": 21},
    "torchvision/mobilenet_v3_large_224": {"hard_sigmoid": 8, "hard_swish": 21},
    "jetson/mobilenetv3_small_100_224": {"hard_sigmoid": 9, "hard_swish": 19},
    "efficientnet_b0": {"silu": 49},
    "torchvision/efficientnet_b0_224": {"silu": 49},
    "jetson/mixnet_s_224": {"silu": 39},
    "jetson/yolov8n_640": {"silu": 57, "softmax": 1},
    "jetson/yolov10n_640": {"attention": 1, "silu": 69, "softmax": 1},
    "jetson/yolox_s_640": {"silu": 74},
    "resnet50": {},
}
"""What each network holds, however it was exported: `yolov8n` has a softmax in its head (distribution focal loss),
the hard sigmoids of MobileNetV3 and the other sigmoids of EfficientNet belong to squeeze-and-excitation."""


def exports(shared: Path, name: str) -> list[Path]:
    folder = shared / "models"
    found = sorted(folder.glob(f"{name}.*.onnx")) + sorted(folder.glob(f"{name}.onnx"))
    assert found, f"no export of {name}"
    return found


@pytest.mark.parametrize("name", COUNTS)
def test_every_export_of_a_network_has_the_groups_of_the_network(name: str, shared: Path, registry):
    from graphcost.importer import load

    for path in exports(shared, name):
        found = groups_of(load(path, registry.operators).graph)
        assert Counter(group.kind for group in found) == COUNTS[name], path.name


@pytest.mark.parametrize("export", ["llama_mini4.ts17", "swin_tiny_patch4_window7_224.ts17", "bert_mini4.ts17"])
def test_outlining_every_group_of_a_network_conserves_its_flops(export: str, shared: Path, registry):
    from graphcost.importer import load
    from graphcost.work import graph_work

    graph = load(shared / "models" / f"{export}.onnx", registry.operators).graph
    before = graph_work(graph, registry.operators).work
    for group in groups_of(graph):
        outline(graph, group.nodes, f"group.{group.kind}")
    after = graph_work(graph, registry.operators).work
    graph.verify()
    assert (after.macs, after.elementwise_ops) == (before.macs, before.elementwise_ops)
    assert after.bytes < before.bytes


@pytest.mark.parametrize(
    ("export", "scale"),
    [("bert_mini4.ts17", 0.125), ("bert_mini4.dynamo", 0.125), ("vit_base_patch16_224.dynamo", 0.125)],
)
def test_attention_tells_its_scale(export: str, scale: float, shared: Path, registry):
    from graphcost.importer import load

    found = groups_of(load(shared / "models" / f"{export}.onnx", registry.operators).graph)
    scales = [group.attrs["scale"] for group in found if group.kind == "attention"]
    assert scales == [pytest.approx(scale, rel=1e-6)] * len(scales)
    assert scales

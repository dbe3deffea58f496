"""The textual form: what is printed parses back to the same graph, and errors say where."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcost.ir import Graph, Node, Value
from graphcost.origin import Origin
from graphcost.text import TextError, parse_graph, parse_target, print_graph
from graphcost.types import (
    BITS,
    CHANNEL_LANES,
    NONE,
    Attr,
    Constant,
    ContainerType,
    Quantization,
    TensorType,
    Type,
    Unknown,
)

STEM = """\
graph stem(%x: f16[1,64,56,56]) {
  weight %w: f16[64,64,3,3]
  weight %shape: i64[2] = [1,-1]
  %y: f16[1,64,56,56]:chw2 = trt.conv_act(%x, %w) tactic="hcudnn_128x64" {
    ^(%a: f32[1,64,56,56], %k: f32[64,64,3,3])
    %c: f32[1,64,56,56] = onnx.Conv(%a, %k) pads=[1,1,1,1] strides=[1,1] @conv1
    %r: f32[1,64,56,56] = onnx.Relu(%c)
    return %r
  }
  %z: f16[1,200704] = onnx.Reshape(%y, %shape) from [flatten, view:0.5]
  return %z
}
"""

LOOP = """\
graph g(%n: i64[], %go: bool[], %x: f32[4]) {
  %last: f32[4] = onnx.Loop(%n, %go, %x, %x) {
    ^body(%i = _: i64[], %again = %go: bool[], %state = %x@2: f32[4], %outer = %x@3: f32[4])
    %sum: f32[4] = onnx.Add(%state, %outer)
    return %again, %sum
  }
  return %last
}
"""

IF = """\
graph g(%p: bool[], %x: f32[4]) {
  %y: f32[4] = onnx.If(%p, %x) {
    ^then_branch(%a = %x: f32[4])
    %r: f32[4] = onnx.Relu(%a)
    return %r
    ^else_branch()
    weight %zero: f32[4] = [0.0,0.0,0.0,0.0]
    return %zero
  }
  return %y
}
"""

ODD = """\
graph "torch/jit export"(%"input:0": f32[?n<=8,3], %seq: seq(f32[?"a b",2]), %any: ?[*]) {
  weight %"layer1/0/conv w": i8[4,4]:chw4:q(0.5,axis=0)
  weight %s: f32[3] = [inf,nan,1e-05]
  weight %names: str[2] = ["a;b","\\u00e9\\n"]
  weight %flags: bool[2] = [true,false]
  weight %empty: i64[0] = []
  weight %other: f16[2] = f32[2] [0.5,1.0]
  %a: f32[*], %_unused: none = "my.op:1"(_, %"input:0", _) axis=-1 mode="x \\"y\\"" none=[] "odd key"=1 ts=[const(i64[1] [2])] type=type(seq(f32[3])) @"node /1" from []
  my.sink(%a)
  return %a, %"input:0"
}
"""  # noqa: E501


@pytest.mark.parametrize("text", [STEM, LOOP, IF, ODD], ids=["kernel", "loop", "if", "odd names"])
def test_what_is_printed_parses_back(text: str) -> None:
    graph = parse_graph(text)
    graph.verify()
    assert print_graph(graph) == text
    assert print_graph(graph.clone()) == text


def test_bodies_bind_to_slots() -> None:
    (loop,) = parse_graph(LOOP)
    assert loop.bodies[0].binds == (None, 1, 2, 3)
    (choice,) = parse_graph(IF)
    assert [body.name for body in choice.bodies] == ["then_branch", "else_branch"]
    assert [body.binds for body in choice.bodies] == [(1,), ()]


def test_absent_operands_keep_their_slots() -> None:
    node = next(iter(parse_graph(ODD)))
    assert [operand is None for operand in node.operands] == [True, False, True]
    assert node.name == "node /1"
    assert node.origin == ()
    assert node.results[1].type is NONE


def test_comments_and_notes_are_ignored() -> None:
    target = "nano tensorrt-8.2 fp16 inference"
    text = print_graph(parse_graph(STEM), note=lambda node: f"1.1 ms {node.name}", target=target)
    assert text.startswith(f"; target: {target}\ngraph stem")
    assert "}  ; 1.1 ms y\n" in text
    assert print_graph(parse_graph(text)) == STEM


def test_the_target_line_stands_before_the_graph() -> None:
    header = "- onnx as-exported inference"
    assert parse_target(f"; run: dce\n; target: {header}\ngraph g() {{") == header
    assert parse_target("graph g() {\n; target: nano x y z\n") is None
    assert parse_target("") is None


ERRORS = {
    "a value nobody defined": ("Relu(%c)", "Relu(%q)", 7, "%q is not defined"),
    "a value defined twice": ("%z: f16[1,200704]", "%y: f16[1,200704]", 10, "%y is defined twice"),
    "a body that reads outside": ("onnx.Conv(%a", "onnx.Conv(%x", 6, "%x is not defined"),
    "an element type": ("f16[64,64,3,3]", "half[64]", 2, "expected an element type such as f32 or i64, found half"),
    "a format": (":chw2", ":nhwc", 4, "expected a format (linear"),
    "a dimension": ("f16[1,64,56,56])", "f16[1,x,56,56])", 1, "expected number, found x"),
    "a missing bracket": ("(%c)", "(%c", 8, "expected , or ), found return"),
    "a foreign character": ("return %r", "return %r $", 8, "unexpected character '$'"),
    "an attribute": ("strides=[1,1]", "strides=[1,]", 6, "expected number or string or true or false, found ]"),
    "a cut file": ("  return %z\n}\n", "", 11, "expected word or string or number, found end of text"),
    "an open string": ('"hcudnn_128x64"', '"hcudnn_128x64', 4, "unexpected character '\"'"),
}


@pytest.mark.parametrize(("old", "new", "line", "reason"), ERRORS.values(), ids=ERRORS)
def test_errors_say_where(old: str, new: str, line: int, reason: str) -> None:
    with pytest.raises(TextError) as error:
        parse_graph(STEM.replace(old, new, 1))
    message = str(error.value)
    assert message.startswith(f"line {line}: ")
    assert reason in message
    assert message.splitlines()[-1].strip() == "^"


def test_a_loop_body_binds_only_to_operands_of_its_node() -> None:
    with pytest.raises(TextError, match="line 3: %y is not an operand of the node"):
        parse_graph(LOOP.replace("%again = %go", "%again = %y"))


# Graphs made by chance

names = st.text(st.characters(codec="utf-8"), max_size=8)
dims = st.integers(0, 9) | st.builds(Unknown, names, st.none() | st.integers(0, 9))
quantizations = st.builds(Quantization, st.none() | st.floats(1e-6, 1e3), st.none() | st.integers(-2, 3))
tensors = st.builds(
    TensorType,
    st.sampled_from(sorted(BITS)),
    st.none() | st.lists(dims, max_size=3).map(tuple),
    st.sampled_from(sorted(CHANNEL_LANES)),
    st.none() | quantizations,
)
containers = st.builds(ContainerType, st.sampled_from(["seq", "opt", "map"]), tensors)
types: st.SearchStrategy[Type] = tensors | containers | st.just(NONE)


@st.composite
def constants(draw: st.DrawFn) -> Constant:
    dtype, scalars = draw(
        st.sampled_from(
            [
                ("i64", st.integers(-(2**63), 2**63 - 1)),
                ("f32", st.floats(allow_nan=False)),
                ("bool", st.booleans()),
                ("str", names),
            ]
        )
    )
    values = tuple(draw(st.lists(scalars, max_size=4)))
    return Constant(dtype, (len(values),), values)


def some(scalars: st.SearchStrategy[Attr]) -> st.SearchStrategy[Attr]:
    """One, or a list of one kind."""
    return scalars | st.lists(scalars, max_size=3).map(tuple)


attrs = st.dictionaries(
    names.filter(bool),
    some(st.integers())
    | some(st.floats(allow_nan=False))
    | some(names)
    | constants()
    | st.lists(constants(), max_size=2).map(tuple)
    | tensors
    | containers
    | st.booleans(),
    max_size=3,
)
origins = st.none() | st.lists(st.builds(Origin, names, st.floats(0.01, 1.0)), max_size=2)
operators = names.filter(lambda name: name not in ("", "return"))


@st.composite
def graphs(draw: st.DrawFn, depth: int = 1, outside: int = 0) -> Graph:
    """A graph; as a body, with `outside` operand slots to bind to."""
    fresh = iter(draw(st.lists(names, min_size=40, max_size=40, unique=True)))
    graph = Graph(draw(names), [Value(next(fresh), draw(types)) for _ in range(draw(st.integers(0, 3)))])
    slots = st.integers(0, outside - 1) if outside else st.none()
    graph.binds = tuple(draw(st.none() | slots) for _ in graph.inputs)
    for _ in range(draw(st.integers(0, 2))):
        constant = draw(st.none() | constants())
        graph.add_weight(Value(next(fresh), constant.type if constant else draw(types), constant))
    seen = list(graph.values())
    for _ in range(draw(st.integers(0, 3))):
        operands = draw(st.lists(st.sampled_from(seen) | st.none(), max_size=4)) if seen else []
        results = [Value(next(fresh), draw(types)) for _ in range(draw(st.integers(0, 2)))]
        present = all(operand is not None for operand in operands)
        inner = draw(st.lists(graphs(depth - 1, len(operands) if present else 0), max_size=2)) if depth else []
        graph.append(
            Node(draw(operators), operands, results, draw(attrs), name=draw(names), bodies=inner, origin=draw(origins))
        )
        seen += results
    graph.outputs = draw(st.lists(st.sampled_from(seen), max_size=2)) if seen else []
    return graph


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_any_graph_round_trips(graph: Graph) -> None:
    graph.verify()
    text = print_graph(graph)
    parsed = parse_graph(text)
    parsed.verify()
    assert print_graph(parsed) == text
    for ours, theirs in zip(graph.walk(), parsed.walk()):
        assert (ours.op, ours.name, ours.attrs, ours.origin) == (theirs.op, theirs.name, theirs.attrs, theirs.origin)
        assert [r.type for r in ours.results] == [r.type for r in theirs.results]
        assert [body.binds for body in ours.bodies] == [body.binds for body in theirs.bodies]


@settings(max_examples=100, deadline=None)
@given(st.text('graph(){}%x:=f32[1]@^,;"\\_ \n?<-.weturn', max_size=60))
def test_any_text_is_a_graph_or_a_located_error(text: str) -> None:
    try:
        parse_graph(text).verify()
    except TextError as error:
        assert error.line >= 1

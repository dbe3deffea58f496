"""Small models that ask for more than there is: time, memory or depth without end.

    python tests/traps.py

analyses each within the limits of `mutations` and prints as JSON what became of it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from mutations import limited, measured

HUGE = (1 << 62) + 1


def parsed(text: str) -> bytes:
    import onnx

    return onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["": 18]> {text}').SerializeToString()


def built(nodes: list[Any], inputs: Mapping[str, list[Any]], output: str, **more: Any) -> bytes:
    from onnx import TensorProto, helper

    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in inputs.items()]
    result = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
    model = helper.make_model(
        helper.make_graph(nodes, "g", infos, [result]),
        opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("own", 1)],
        ir_version=9,
        **more,
    )
    content: bytes = model.SerializeToString()
    return content


def huge_dims() -> bytes:
    dims = ", ".join([str(HUGE)] * 3)
    return parsed(f"g (float[{dims}] x, float[{HUGE}] w) => (float[A, B, C] y) {{ a = Add(x, w) y = MatMul(a, a) }}")


def many_huge_dims() -> bytes:
    dims = ", ".join([str(HUGE)] * 400)
    return parsed(f"g (float[{dims}] x) => (float[K] y) {{ y = Relu(x) }}")


def made_from_numbers(operator: str) -> Callable[[], bytes]:
    """Range, Tile, Expand, ConstantOfShape: a few numbers that stand for a tensor without end."""
    texts = {
        "Range": "y = Range(zero, limit, one) k = Cast <to = 1> (y) r = Relu(k)",
        "Tile": "t = Tile(one1, limits) r = Reshape(t, limits)",
        "ConstantOfShape": "c = ConstantOfShape(limits) r = Add(c, c)",
        "Expand": "e = Expand(one1, limits) r = Identity(e)",
        "OneHot": "o = OneHot(limits, limit, pair) r = Neg(o)",
        "Pad": "p = Pad(one1, pads) r = Neg(p)",
        "HannWindow": "r = HannWindow(limit)",
        "EyeLike": "c = ConstantOfShape(limits) r = EyeLike(c)",
        "Gather": "c = ConstantOfShape(limits) r = Gather(c, limits)",
        "NonZero": "c = ConstantOfShape(limits) n = NonZero(c) r = Neg(n)",
    }
    numbers = (
        f"<int64 zero = {{0}}, int64 one = {{1}}, int64 limit = {{{HUGE}}}, int64[1] one1 = {{1}},"
        " int64[1] zero1 = {0},"
        f" int64[2] limits = {{{HUGE}, {HUGE}}}, int64[2] pads = {{{HUGE}, {HUGE}}}, float[2] pair = {{0, 1}}>"
    )
    return lambda: parsed(f"g (float[2] x) => (float[K] r) {numbers} {{ {texts[operator]} }}")


def huge_resize() -> bytes:
    from onnx import TensorProto, helper

    sizes = helper.make_node("Constant", [], ["s"], value=helper.make_tensor("", TensorProto.INT64, [4], [HUGE] * 4))
    return built([sizes, helper.make_node("Resize", ["x", "", "", "s"], ["y"], mode="cubic")], {"x": [1, 3, 4, 4]}, "y")


def endless_loop() -> bytes:
    body = (
        "turn (int64 i, bool c, float[4] s) => (bool d, float[4] t, float[4] o) "
        "{ d = Identity(c) t = Relu(s) o = Neg(t) }"
    )
    return parsed(
        f"g (float[4] x) => (float[4] y, float[N, 4] z) <int64 n = {{{HUGE}}}, bool go = {{1}}> "
        f"{{ y, z = Loop (n, go, x) <body = {body}> }}"
    )


def nested(operator: str, depth: int) -> Callable[[], bytes]:
    """Control flow in control flow."""

    def build() -> bytes:
        from onnx import TensorProto, helper

        def info(name: str, kind: int = TensorProto.FLOAT, dims: Any = None) -> Any:
            return helper.make_tensor_value_info(name, kind, dims)

        def loop(level: int) -> Any:
            inner = [loop(level + 1)] if level < depth else [helper.make_node("Relu", [f"s{level}"], [f"t{level}"])]
            grown = helper.make_node("Concat", [f"t{level}", f"t{level}"], [f"o{level}"], axis=0)
            same = helper.make_node("Identity", [f"c{level}"], [f"d{level}"])
            body = helper.make_graph(
                [same, *inner, grown],
                "body",
                [info(f"i{level}", TensorProto.INT64, []), info(f"c{level}", TensorProto.BOOL, []), info(f"s{level}")],
                [info(f"d{level}", TensorProto.BOOL, []), info(f"o{level}")],
            )
            return helper.make_node("Loop", ["n", "go", f"s{level - 1}"], [f"t{level - 1}"], body=body)

        def branch(level: int) -> Any:
            inner = branch(level + 1) if level < depth else helper.make_node("Relu", ["s0"], [f"t{level}"])
            graphs = [
                helper.make_graph([inner], "then", [], [info(f"t{level}")]),
                helper.make_graph([helper.make_node("Neg", ["s0"], [f"e{level}"])], "else", [], [info(f"e{level}")]),
            ]
            return helper.make_node("If", ["go"], [f"t{level - 1}"], then_branch=graphs[0], else_branch=graphs[1])

        node = (loop if operator == "Loop" else branch)(1)
        inputs = [info("s0", dims=[4]), info("n", TensorProto.INT64, []), info("go", TensorProto.BOOL, [])]
        graph = helper.make_graph([node], "g", inputs, [info("t0")])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        content: bytes = model.SerializeToString()
        return content

    return build


def doubling_functions(levels: int = 40) -> bytes:
    """Each function calls the next one twice: 2^40 nodes from a file of a few kilobytes."""
    from onnx import helper

    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    calls = []
    for level in range(levels):
        inner, domain = (f"f{level + 1}", "own") if level + 1 < levels else ("Relu", "")
        pair = [helper.make_node(inner, [a], [b], domain=domain) for a, b in (("x", "t"), ("t", "y"))]
        calls.append(helper.make_function("own", f"f{level}", ["x"], ["y"], pair, opsets))
    return built([helper.make_node("f0", ["x"], ["y"], domain="own")], {"x": [4]}, "y", functions=calls)


def calls_itself() -> bytes:
    from onnx import helper

    opsets = [helper.make_opsetid("own", 1)]
    once = helper.make_function("own", "f", ["x"], ["y"], [helper.make_node("f", ["x"], ["y"], domain="own")], opsets)
    return built([helper.make_node("f", ["x"], ["y"], domain="own")], {"x": [4]}, "y", functions=[once])


def doubling_names(operator: str, levels: int = 200) -> Callable[[], bytes]:
    """A dimension that only the data decides, put together with itself again and again."""

    def build() -> bytes:
        from onnx import helper

        nodes = [helper.make_node("NonZero", ["x"], ["n"]), helper.make_node("Cast", ["n"], ["v0"], to=1)]
        for level in range(levels):
            value, result = f"v{level}", f"v{level + 1}"
            if operator == "Concat":
                nodes.append(helper.make_node("Concat", [value, value], [result], axis=1))
            else:
                nodes.append(helper.make_node("NonZero", [value], [f"k{level}"]))
                nodes.append(helper.make_node("Cast", [f"k{level}"], [f"w{level}"], to=1))
                nodes.append(helper.make_node("Add", [value, f"w{level}"], [result]))
        return built(nodes, {"x": [4]}, f"v{levels}")

    return build


def long_chain(nodes: int = 20_000) -> bytes:
    from onnx import helper

    chain = [helper.make_node("NonZero", ["x"], ["n"]), helper.make_node("Cast", ["n"], ["v0"], to=1)]
    chain += [helper.make_node("Concat", [f"v{i}", "v0"], [f"v{i + 1}"], axis=1) for i in range(nodes)]
    return built(chain, {"x": [4]}, f"v{nodes}")


def odd_dimension(text: str) -> Callable[[], bytes]:
    """A symbol that looks like an expression."""

    def build() -> bytes:
        from onnx import helper

        return built([helper.make_node("Relu", ["x"], ["y"])], {"x": [text, 4]}, "y")

    return build


def many_ngrams() -> bytes:
    attrs = f'mode = "TF", min_gram_length = 1, max_gram_length = {HUGE}, max_skip_count = {HUGE}, ngram_counts = [0], '
    return parsed(
        f"g (int32[{HUGE}] x) => (float[K] y) "
        f"{{ y = TfIdfVectorizer <{attrs} ngram_indexes = [0, {HUGE}], pool_int64s = [1, 2]> (x) }}"
    )


def cyclic_tree() -> bytes:
    import onnx

    attrs = (
        "n_targets = 1, tree_roots = [0], nodes_featureids = [0, 0], nodes_truenodeids = [1, 0],"
        " nodes_falsenodeids = [1, 0], nodes_trueleafs = [0, 0], nodes_falseleafs = [0, 0], leaf_targetids = [0]"
    )
    text = (
        '<ir_version: 9, opset_import: ["ai.onnx.ml": 5]> g (float[3, 2] x) => (float[3, 1] y) '
        f"{{ y = ai.onnx.ml.TreeEnsemble <{attrs}> (x) }}"
    )
    content: bytes = onnx.parser.parse_model(text).SerializeToString()
    return content


def deep_types(depth: int = 40) -> bytes:
    import onnx
    from onnx import helper

    kind = helper.make_tensor_type_proto(1, [4])
    for _ in range(depth):
        kind = helper.make_sequence_type_proto(kind)
    value = onnx.ValueInfoProto(name="x", type=kind)
    result = onnx.ValueInfoProto(name="y")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [result])
    content: bytes = helper.make_model(graph, ir_version=9).SerializeToString()
    return content


def shared_views(levels: int = 60) -> bytes:
    """Each value is read twice by reshapes whose results meet again."""
    from onnx import helper

    nodes = []
    for level in range(levels):
        nodes += [helper.make_node("Identity", [f"v{level}"], [f"{side}{level}"]) for side in "ab"]
        nodes.append(helper.make_node("Add", [f"a{level}", f"b{level}"], [f"v{level + 1}"]))
    return built(nodes, {"v0": [4]}, f"v{levels}")


TRAPS: Mapping[str, Callable[[], bytes]] = {
    "huge dims": huge_dims,
    "four hundred huge dims": many_huge_dims,
    **{
        f"huge {operator}": made_from_numbers(operator)
        for operator in (
            "Range", "Tile", "ConstantOfShape", "Expand", "OneHot", "Pad", "HannWindow", "EyeLike", "Gather", "NonZero",
        )
    },
    "huge Resize": huge_resize,
    "endless loop": endless_loop,
    "nested loops": nested("Loop", 30),
    "nested branches": nested("If", 30),
    "doubling functions": doubling_functions,
    "function that calls itself": calls_itself,
    "doubling names": doubling_names("Concat"),
    "broadcast names": doubling_names("Add", 60),
    "long chain of unknown dims": long_chain,
    "deep parentheses": odd_dimension("(" * 50_000 + "a" + ")" * 50_000),
    "many digits": odd_dimension("9" * 10_000),
    "tower of powers": odd_dimension("9**9**9**9**9"),
    "long sum": odd_dimension("+".join(["a"] * 50_000)),
    "long product": odd_dimension("*".join(["a"] * 50_000)),
    "many n-grams": many_ngrams,
    "tree with a cycle": cyclic_tree,
    "deep types": deep_types,
    "shared views": shared_views,
}  # fmt: skip


def main(names: list[str]) -> dict[str, Any]:
    contents = {name: TRAPS[name]() for name in names or TRAPS}
    limited()
    return {name: measured(content) for name, content in contents.items()}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))

"""Contractions: matrix products in every form, Gemm, Einsum."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import Dim, TensorType, Type

from .errors import ShapeMismatch
from .reading import Dims, agree, broadcast, dims, give, has, integer, ranked, tensor, typed


def matmul(a: int = 0, b: int = 1, like: int | str = 0) -> InferTypes:
    """A matrix product of the operands in slots `a` and `b`. `like` names the slot whose element type the result has,
    or that type itself."""

    def infer(node: Node, known: Known) -> list[Type]:
        dtype = like if isinstance(like, str) else tensor(node, like).dtype
        return give(node, TensorType(dtype, multiplied(node, dims(node, a), dims(node, b))))

    return infer


def multiplied(node: Node, a: Dims | None, b: Dims | None) -> Dims | None:
    """Numpy's matmul: a vector gets a dimension of 1, which the result drops; the leading dimensions broadcast."""
    if a is None or b is None:
        return None
    if not a or not b:
        raise ShapeMismatch(node, "a scalar cannot be an operand of a matrix product")
    left = a if len(a) > 1 else (1, *a)
    right = b if len(b) > 1 else (*b, 1)
    agree(node, left[-1], right[-2], "columns of the first and rows of the second operand")
    batch = broadcast(node, left[:-2], right[:-2])
    rows = left[-2:-1] if len(a) > 1 else ()
    columns = right[-1:] if len(b) > 1 else ()
    return None if batch is None else (*batch, *rows, *columns)


def fused_matmul(node: Node, known: Known) -> list[Type]:
    """com.microsoft: either operand may be transposed, in its last two axes or in its leading ones."""
    a = _transposed(dims(node, 0), bool(integer(node, "transA")), bool(integer(node, "transBatchA")))
    b = _transposed(dims(node, 1), bool(integer(node, "transB")), bool(integer(node, "transBatchB")))
    return give(node, typed(node, 0, multiplied(node, a, b)))


def _transposed(shape: Dims | None, last_two: bool, batch: bool) -> Dims | None:
    """`batch` moves the first axis behind the other leading ones: [d0, d1, ..., m, k] becomes [d1, ..., m, d0, k]
    before the last two are looked at."""
    if shape is None or len(shape) < 2:
        return shape
    if batch:
        shape = (*shape[1:-1], shape[0], shape[-1])
    return (*shape[:-2], shape[-1], shape[-2]) if last_two else shape


def gemm(node: Node, known: Known) -> list[Type]:
    return give(node, typed(node, 0, _product(node, 0, 1)))


def _product(node: Node, a: int, b: int) -> Dims | None:
    left, right = ranked(node, a, 2), ranked(node, b, 2)
    if left is None or right is None:
        return None
    rows, inner = reversed(left) if integer(node, "transA") else left
    depth, columns = reversed(right) if integer(node, "transB") else right
    agree(node, inner, depth, "columns of the first and rows of the second operand")
    return (rows, columns)


def qgemm(node: Node, known: Known) -> list[Type]:
    """com.microsoft: quantised where a zero point for the result is given, else float."""
    dtype = tensor(node, 8).dtype if has(node, 8) else "f32"
    return give(node, TensorType(dtype, _product(node, 0, 3)))


def matmul_packed(node: Node, known: Known) -> list[Type]:
    """Weights packed in blocks: their logical size [K, N] stands in attributes."""
    data, packed = dims(node, 0), (integer(node, "K"), integer(node, "N"))
    if data is None or not all(packed):
        return give(node, typed(node, 0, None))
    return give(node, typed(node, 0, multiplied(node, data, packed)))


def einsum(node: Node, known: Known) -> list[Type]:
    equation = node.attrs.get("equation")
    shapes = [dims(node, slot) for slot in range(len(node.operands))]
    ranks_known = [shape for shape in shapes if shape is not None]
    if not isinstance(equation, str) or len(ranks_known) < len(shapes):
        return give(node, typed(node, 0, None))
    return give(node, typed(node, 0, _contracted(node, equation.replace(" ", ""), ranks_known)))


def _contracted(node: Node, equation: str, shapes: list[Dims]) -> Dims | None:
    terms, arrow, result = equation.partition("->")
    inputs = terms.split(",")
    if len(inputs) != len(shapes):
        raise ShapeMismatch(node, f"equation {equation!r} has {len(inputs)} terms for {len(shapes)} operands")
    sizes: dict[str, Dim] = {}
    ellipses = [_read_term(node, term, shape, sizes) for term, shape in zip(inputs, shapes)]
    dots = broadcast(node, *ellipses)
    return None if dots is None else _named(node, result if arrow else _implicit(terms), sizes, dots)


def _read_term(node: Node, term: str, shape: Dims, sizes: dict[str, Dim]) -> Dims:
    """Notes the size of each letter; returns the dimensions under the ellipsis."""
    before, _, behind = term.partition("...")
    dots = len(shape) - len(before) - len(behind)
    if dots < 0 or (dots and "..." not in term):
        raise ShapeMismatch(node, f"term {term!r} does not name the {len(shape)} dimensions of its operand")
    named = (*shape[: len(before)], *shape[len(before) + dots :])
    for letter, dim in zip(before + behind, named):
        sizes[letter] = _same_letter(node, letter, sizes.get(letter, 1), dim)
    return shape[len(before) : len(before) + dots]


def _same_letter(node: Node, letter: str, a: Dim, b: Dim) -> Dim:
    """A dimension of 1 broadcasts, as in numpy's einsum."""
    if a == 1 or b == 1:
        return b if a == 1 else a
    return agree(node, a, b, f"sizes of {letter!r}")


def _implicit(terms: str) -> str:
    """Without an arrow: the ellipsis, then the letters that occur once, in alphabetical order."""
    once = sorted(c for c in set(terms) if c.isalpha() and terms.count(c) == 1)
    return "..." + "".join(once)


def _named(node: Node, term: str, sizes: dict[str, Dim], dots: Dims) -> Dims:
    before, ellipsis, behind = term.partition("...")
    for letter in before + behind:
        if letter not in sizes:
            raise ShapeMismatch(node, f"{letter!r} of the result stands in no operand's term")
    middle = dots if ellipsis else ()
    return (*(sizes[c] for c in before), *middle, *(sizes[c] for c in behind))


SHAPES: Mapping[str, InferTypes] = {
    "onnx.MatMul": matmul(),
    "onnx.MatMulInteger": matmul(like="i32"),
    "onnx.QLinearMatMul": matmul(b=3, like=7),
    "onnx.Gemm": gemm,
    "onnx.Einsum": einsum,
    "com.microsoft.DynamicQuantizeMatMul": matmul(),
    "com.microsoft.FusedGemm": gemm,
    "com.microsoft.FusedMatMul": fused_matmul,
    "com.microsoft.FusedMatMulActivation": fused_matmul,
    "com.microsoft.GemmFastGelu": matmul(),
    "com.microsoft.MatMulBnb4": matmul_packed,
    "com.microsoft.MatMulInteger16": matmul(like="i32"),
    "com.microsoft.MatMulIntegerToFloat": matmul(like=2),
    "com.microsoft.MatMulNBits": matmul_packed,
    "com.microsoft.QGemm": qgemm,
    "com.microsoft.TransposeMatMul": fused_matmul,
}

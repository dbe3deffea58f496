"""Matrix products, and those inside Einsum, attention and recurrent layers."""

from __future__ import annotations

import math

from graphcost.ir import Node
from graphcost.work.attention import SCORES
from graphcost.work.einsum import products_of
from graphcost.work.sizes import integer, operand_elements, operand_shape, result_elements, result_shape

from .contraction import Contraction, gemm


def matmul(right: int, node: Node) -> Contraction:
    """Gemm and MatMul: with one right operand of two dimensions all rows of the left one are one product."""
    a, b, out = operand_shape(node), operand_shape(node, right), result_shape(node)
    flipped = bool(integer(node, "transB"))
    k = a[-2] if integer(node, "transA") else a[-1]
    n = 1 if len(b) == 1 else b[-2] if flipped else b[-1]
    rows = math.prod(out) // max(n, 1)
    shared = len(b) <= 2
    m = rows if shared else out[-2] if len(a) > 1 else 1
    batch = 1 if shared else rows // max(m, 1)
    return Contraction("gemm", batch, 1, m, n, k, input_dims=a, output_dims=out, transposed=flipped)


def packed_matmul(node: Node) -> Contraction:
    """A weight in few bits, whose shape does not show its size: all rows of the left operand are one product."""
    inner = operand_shape(node)[-1]
    rows = operand_elements(node, 0) // max(inner, 1)
    return gemm(1, rows, result_elements(node) // max(rows, 1), inner)


def product_gradient(node: Node) -> Contraction | None:
    """Operands: the gradient of the result, left and right factor; `wrt` 0 or 1 says whose gradient is made. Where all
    rows share one right factor they are one product."""
    gradient, factors, wrt = operand_shape(node), (operand_shape(node, 1), operand_shape(node, 2)), integer(node, "wrt")
    if wrt not in (0, 1) or min(map(len, (gradient, *factors))) < 2:
        return None
    batch = 1 if len(factors[1]) == 2 else math.prod(gradient[:-2])
    rows, columns = math.prod(gradient[:-1]) // max(batch, 1), gradient[-1]
    inner = math.prod(factors[1]) // max(columns * math.prod(factors[1][:-2]), 1)
    m, n, k = (rows, inner, columns) if wrt == 0 else (inner, columns, rows)
    return Contraction("gemm", batch, 1, m, n, k, input_dims=gradient, output_dims=result_shape(node))


def einsum(node: Node) -> tuple[Contraction, ...]:
    """One product for each pair of operands that contracts something."""
    return tuple(gemm(*sizes) for sizes in products_of(node))


def attention(node: Node) -> tuple[Contraction, Contraction]:
    """Queries by keys, and probabilities by values, of each head."""
    heads, queries, keys, key_size, value_size = SCORES[node.op](node)
    return gemm(heads, queries, keys, key_size), gemm(heads, queries, value_size, keys)


def recurrent(node: Node) -> Contraction:
    """W and R side by side meet input and state, for each step and direction: gates · hidden columns."""
    first, second, _ = operand_shape(node)
    steps, batch = (second, first) if integer(node, "layout") else (first, second)
    directions, columns, inputs = operand_shape(node, 1)
    hidden = operand_shape(node, 2)[2]
    return gemm(steps * directions, batch, columns, inputs + hidden)

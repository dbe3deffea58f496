"""Reductions, running totals and selections by order. To join n elements into one takes n - 1 operations."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import CountWork, Effort

from .sizes import integer, operand_bytes, operand_elements, operand_shape, result_elements, result_shape, sort_steps


def reduction(per_input: int = 1, per_output: int = -1) -> CountWork:
    """{per_input} for each element read; {per_output} for each element of the result.

    Not counted: the axes, which the host reads to set up the kernel.
    """

    def count(node: Node) -> Effort:
        ops = operand_elements(node) * per_input + result_elements(node) * per_output
        return Effort(elementwise_ops=max(ops, 0), bytes_read=operand_bytes(node, 0))

    return count


def running(node: Node) -> Effort:
    """One operation for each element that joins the total."""
    return Effort(elementwise_ops=operand_elements(node), bytes_read=operand_bytes(node, 0))


def top_k(node: Node) -> Effort:
    """Each of the n elements of a line goes through a heap of k: n · log2(k) comparisons."""
    axis = integer(node, "axis", -1)
    length, kept = operand_shape(node)[axis], result_shape(node)[axis]
    lines = operand_elements(node) // max(length, 1)
    return Effort(elementwise_ops=lines * sort_steps(length, kept), bytes_read=operand_bytes(node, 0))


def unique(node: Node) -> Effort:
    """n · log2(n) comparisons, to sort n elements."""
    return Effort(elementwise_ops=sort_steps(operand_elements(node)))


def non_zero(node: Node) -> Effort:
    """One comparison for each element read."""
    return Effort(elementwise_ops=operand_elements(node))


REDUCTION: Mapping[str, CountWork] = {
    "onnx.ReduceSum": reduction(),
    "onnx.ReduceProd": reduction(),
    "onnx.ReduceMax": reduction(),
    "onnx.ReduceMin": reduction(),
    "onnx.ReduceMean": reduction(1, 0),  # n - 1 sums, 1 division
    "onnx.ReduceL1": reduction(2, -1),  # absolute values, sums
    "onnx.ReduceL2": reduction(2, 0),  # squares, sums, 1 root
    "onnx.ReduceSumSquare": reduction(2, -1),
    "onnx.ReduceLogSum": reduction(1, 0),
    "onnx.ReduceLogSumExp": reduction(2, 0),
    "onnx.ArgMax": reduction(),
    "onnx.ArgMin": reduction(),
    "onnx.CumSum": running,
    "onnx.CumProd": running,
    "onnx.TopK": top_k,
    "onnx.Unique": unique,
    "onnx.NonZero": non_zero,
    "com.microsoft.ReduceSumInteger": reduction(),
    "com.microsoft.Unique": unique,
}

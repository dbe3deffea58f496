"""Operators that compute nothing: views, copies, and reads of a part.

A shape, an axis or a split that the host reads to set up the kernel is no traffic of the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.memory.aliases import dropout_aliases
from graphcost.operators import CountWork, Effort

from .sizes import (
    elements,
    operand,
    operand_bytes,
    operand_elements,
    result_bytes,
    result_elements,
    size_bytes,
    text,
)


def view(node: Node) -> Effort:
    """Nothing is computed or moved: the operand under another name or shape, or something only the host asks for."""
    return Effort(bytes_read=0, bytes_written=0)


def copy(node: Node) -> Effort:
    """Nothing is computed: everything is read and everything is written."""
    return Effort()


def copy_first(node: Node) -> Effort:
    """Nothing is computed: the first operand is read once, however often it is repeated.

    Not counted: the other operands, which are settings.
    """
    return Effort(bytes_read=operand_bytes(node, 0))


def part(node: Node) -> Effort:
    """Nothing is computed: what it gives is read and written."""
    return Effort(bytes_read=min(result_bytes(node), operand_bytes(node, 0)))


def fill(per_element: int = 0) -> CountWork:
    """Only writes; {per_element} for each element of the result."""
    return lambda node: Effort(elementwise_ops=per_element * result_elements(node), bytes_read=0)


def gather(data: int = 0, indices: int = 1) -> CountWork:
    """Nothing is computed: the indices and the elements that it gives are read; a table that is smaller than these is
    read once."""

    def count(node: Node) -> Effort:
        table = operand(node, data)
        rows = result_elements(node) * size_bytes(table) // max(elements(table), 1)
        return Effort(bytes_read=min(size_bytes(table), rows) + operand_bytes(node, indices))

    return count


def scatter(updates: int = 2) -> CountWork:
    """A copy with some elements replaced; 1 for each update that is combined with what was there."""

    def count(node: Node) -> Effort:
        combined = text(node, "reduction", "none") != "none"
        return Effort(elementwise_ops=operand_elements(node, updates) * combined)

    return count


def one_hot(node: Node) -> Effort:
    """1 for each element of the result: the index is compared with each place."""
    return Effort(elementwise_ops=result_elements(node))


def dropout(node: Node) -> Effort:
    """In inference a view; in training a draw, a comparison, a mask and a scale for each element."""
    return view(node) if dropout_aliases(node) else Effort(elementwise_ops=4 * operand_elements(node))


def pad(node: Node) -> Effort:
    """Reads the operand (what a negative pad cuts off is not read) and writes the frame too."""
    return Effort(bytes_read=min(operand_bytes(node, 0), result_bytes(node)))


def sequence_insert(node: Node) -> Effort:
    """Copies the tensor into the sequence."""
    moved = operand_bytes(node, 1)
    return Effort(bytes_read=moved, bytes_written=moved)


def sequence_construct(node: Node) -> Effort:
    """Copies every tensor into the sequence."""
    moved = sum(map(size_bytes, node.inputs))
    return Effort(bytes_read=moved, bytes_written=moved)


def sequence_split(node: Node) -> Effort:
    """Copies the tensor, in pieces, into a sequence."""
    moved = operand_bytes(node, 0)
    return Effort(bytes_read=moved, bytes_written=moved)


def sequence_join(node: Node) -> Effort:
    """Reads from the sequence what it gives."""
    moved = result_bytes(node)
    return Effort(bytes_read=moved, bytes_written=moved)


_VIEWS = (
    "Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Shape", "Size", "BitCast", "Constant", "Optional",
    "OptionalGetElement", "OptionalHasElement", "SequenceEmpty", "SequenceLength", "SequenceErase",
)  # fmt: skip
_COPIES = (
    "Concat", "Transpose", "DepthToSpace", "SpaceToDepth", "ReverseSequence",
)  # fmt: skip

MOVEMENT: Mapping[str, CountWork] = {
    **{f"onnx.{name}": view for name in _VIEWS},
    **{f"onnx.{name}": copy for name in _COPIES},
    "onnx.Dropout": dropout,
    "onnx.Expand": copy_first,
    "onnx.Tile": copy_first,
    "onnx.Split": copy_first,
    "onnx.Trilu": copy_first,
    "onnx.Pad": pad,
    "onnx.Slice": part,
    "onnx.CenterCropPad": part,
    "onnx.Gather": gather(),
    "onnx.GatherElements": gather(),
    "onnx.GatherND": gather(),
    "onnx.Compress": gather(),
    "onnx.Scatter": scatter(),
    "onnx.ScatterElements": scatter(),
    "onnx.ScatterND": scatter(),
    "onnx.TensorScatter": scatter(updates=1),
    "onnx.OneHot": one_hot,
    "onnx.ConstantOfShape": fill(),
    "onnx.EyeLike": fill(),
    "onnx.Range": fill(2),  # start + i · delta
    "onnx.SequenceAt": sequence_join,
    "onnx.SequenceConstruct": sequence_construct,
    "onnx.SequenceInsert": sequence_insert,
    "onnx.ConcatFromSequence": sequence_join,
    "onnx.SplitToSequence": sequence_split,
    "trt.concat_view": view,
    "trt.noop": view,
    "trt.reformat": copy,
    "trt.slice_view": view,
    "com.microsoft.ExpandDims": view,
    "com.microsoft.GatherND": gather(),
    "com.microsoft.Pad": pad,
    "com.microsoft.Range": fill(2),
    "com.microsoft.RemovePadding": part,
    "com.microsoft.RestorePadding": copy,
    "com.microsoft.nchwc.ReorderInput": copy,
    "com.microsoft.nchwc.ReorderOutput": copy,
    "com.microsoft.TorchEmbedding": gather(),
    "com.microsoft.Trilu": copy_first,
    "com.microsoft.UnfoldTensor": copy_first,
}

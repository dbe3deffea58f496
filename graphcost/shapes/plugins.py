"""Plug-ins of TensorRT that exporters write into ONNX files, without a domain or under `TRT`.

Source: the README of each plug-in in NVIDIA/TensorRT, folder plugin/.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import TensorType, Type

from .reading import data_dependent, dims, give, integer, tensor


def padded_nms(limit: str, classes: str | None) -> InferTypes:
    """Number of detections, boxes, scores, classes: each image has `limit` (an attribute) of them, padded. `classes`
    is the element type of the class numbers, that of the boxes when None."""

    def infer(node: Node, known: Known) -> list[Type]:
        data, dtype = dims(node, 0), tensor(node, 0).dtype
        batch = data[0] if data else data_dependent(node)
        kept = (batch, integer(node, limit))
        boxes, scores = TensorType(dtype, (*kept, 4)), TensorType(dtype, kept)
        return give(node, TensorType("i32", (batch, 1)), boxes, scores, TensorType(classes or dtype, kept))

    return infer


_OPERATORS: Mapping[str, InferTypes] = {
    "BatchedNMSDynamic_TRT": padded_nms("keepTopK", None),
    "BatchedNMS_TRT": padded_nms("keepTopK", None),
    "EfficientNMS_TRT": padded_nms("max_output_boxes", "i32"),
}

SHAPES: Mapping[str, InferTypes] = {
    f"{domain}.{name}": infer for domain in ("onnx", "TRT") for name, infer in _OPERATORS.items()
}

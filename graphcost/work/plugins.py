"""Plug-ins of TensorRT that exporters write into ONNX files, without a domain or under `TRT`.

Source: the README of each plug-in in NVIDIA/TensorRT, folder plugin/.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import CountWork, Effort

from .sizes import integer, operand_elements, operand_shape, sort_steps
from .vision import OVERLAP

_SELECTED = 4096
"""Boxes of an image that EfficientNMS goes on with at most (its `numSelectedBoxes`)."""


def efficient_nms(node: Node) -> Effort:
    """Every score compared with the threshold; of each image the 4096 highest sorted, then every box that is kept (at
    most `max_output_boxes`) against them.

    Not counted: that fewer scores may reach the threshold.
    """
    batch, scores = operand_shape(node)[0], operand_elements(node, 1)
    each = scores // max(batch, 1)
    selected = min(each, _SELECTED)
    kept = min(integer(node, "max_output_boxes", 100), selected)
    return Effort(elementwise_ops=scores + batch * (sort_steps(each, selected) + kept * selected * OVERLAP))


def batched_nms(node: Node) -> Effort:
    """Of each image and class the `topK` highest scores, sorted, and every one of them against every other; the
    `keepTopK` highest of all classes.

    Not counted: that fewer scores may reach the threshold.
    """
    batch, boxes, classes = operand_shape(node, 1)[:3]
    selected = min(integer(node, "topK", boxes), boxes)
    each = sort_steps(boxes, selected) + selected**2 * OVERLAP
    kept = min(integer(node, "keepTopK", selected), classes * selected)
    return Effort(elementwise_ops=batch * (classes * each + sort_steps(classes * selected, kept)))


_OPERATORS: Mapping[str, CountWork] = {
    "BatchedNMSDynamic_TRT": batched_nms,
    "BatchedNMS_TRT": batched_nms,
    "EfficientNMS_TRT": efficient_nms,
}

PLUGINS: Mapping[str, CountWork] = {
    f"{domain}.{name}": count for domain in ("onnx", "TRT") for name, count in _OPERATORS.items()
}

"""Operators of ai.onnx.ml whose work the types tell. Trees and dictionaries depend on the data."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import CountWork, Effort, UnknownWork

from .elementwise import per_element
from .movement import gather
from .sizes import operand_elements, operand_shape


def linear(node: Node) -> Effort:
    """Every row times `coefficients`, which are classes (or targets) × features."""
    coefficients = node.attrs.get("coefficients")
    if not isinstance(coefficients, tuple):
        raise UnknownWork("attribute coefficients is absent")
    features = operand_shape(node)[-1]
    rows = operand_elements(node) // max(features, 1)
    return Effort(rows * len(coefficients), rows * (len(coefficients) // max(features, 1)))


CLASSIC: Mapping[str, CountWork] = {
    "ai.onnx.ml.LinearClassifier": linear,
    "ai.onnx.ml.LinearRegressor": linear,
    "ai.onnx.ml.Scaler": per_element(2),  # subtract the offset, multiply by the scale
    "ai.onnx.ml.Normalizer": per_element(3),  # |x| or x², sum, divide
    "ai.onnx.ml.Binarizer": per_element(1),
    "ai.onnx.ml.Imputer": per_element(1),
    "ai.onnx.ml.ArrayFeatureExtractor": gather(),
}

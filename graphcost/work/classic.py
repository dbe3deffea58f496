"""Classical machine learning (ai.onnx.ml): linear models, support vectors, scalers and encoders."""

from __future__ import annotations

import math
from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import CountWork, Effort, UnknownWork

from .elementwise import per_element
from .movement import gather, sequence_join
from .sizes import operand_bytes, operand_elements, operand_shape, result_elements, text

_POST_TRANSFORM: Mapping[str, int] = {
    "LOGISTIC": 4,  # 1 / (1 + exp(-x))
    "SOFTMAX": 5,
    "SOFTMAX_ZERO": 6,  # a comparison with zero before
    "PROBIT": 1,
}
"""Operations for each score. An integer names the same in TreeEnsemble: 0 is NONE."""
_POST_NUMBERS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")

_KERNELS: Mapping[str, tuple[int, int]] = {
    "LINEAR": (0, 0),
    "POLY": (0, 3),  # (gamma · a·b + coef0)^degree
    "SIGMOID": (0, 3),  # tanh(gamma · a·b + coef0)
    "RBF": (3, 2),  # exp(-gamma · Σ (a - b)²)
}
"""Elementwise operations of a support-vector kernel: for each feature (0 where that is a multiply-add) and vector."""


def post_transform(node: Node) -> int:
    """Operations for each score of the attribute `post_transform`."""
    chosen = node.attrs.get("post_transform", "NONE")
    if isinstance(chosen, int):
        chosen = _POST_NUMBERS[chosen] if 0 <= chosen < len(_POST_NUMBERS) else "NONE"
    return _POST_TRANSFORM.get(chosen, 0) if isinstance(chosen, str) else 0


def rows_of(node: Node) -> int:
    """A vector is one row."""
    dims = operand_shape(node)
    return dims[0] if len(dims) > 1 else 1


def _length(node: Node, key: str) -> int:
    """Entries of a list attribute; 0 when it is absent."""
    value = node.attrs.get(key, ())
    return len(value) if isinstance(value, tuple) else 0


def linear(node: Node) -> Effort:
    """Every row times `coefficients` (classes or targets × features), an intercept for each score; then the transform
    of the scores.

    Not counted: reading the coefficients, which stand in attributes.
    """
    coefficients = _length(node, "coefficients")
    if not coefficients:
        raise UnknownWork("attribute coefficients is absent")
    rows, features = rows_of(node), operand_shape(node)[-1]
    scores = coefficients // max(features, 1)
    return Effort(rows * coefficients, rows * scores * (1 + post_transform(node)))


def support_vectors(node: Node) -> Effort:
    """The kernel of every row with every support vector; then each row of coefficients times the kernels, and a shift.

    Not counted: reading the vectors, which stand in attributes; Platt's probabilities (prob_a, prob_b).

    Dot products are multiply-adds, the distances of an RBF kernel elementwise. Without vectors it is a linear model.
    """
    features, classes = operand_shape(node)[-1], _length(node, "vectors_per_class")
    vectors = _length(node, "support_vectors") // max(features, 1)
    if not vectors:
        return linear(node)
    name = text(node, "kernel_type", "LINEAR")
    if name not in _KERNELS:
        raise UnknownWork(f"kernel_type {name!r} is not one of {', '.join(_KERNELS)}")
    each_feature, each_vector = _KERNELS[name]
    decisions, scores = max(classes - 1, 1), max(math.comb(classes, 2), 1)
    products = vectors * features * (each_feature == 0)
    ops = vectors * (features * each_feature + each_vector) + scores * (1 + post_transform(node))
    return Effort(rows_of(node) * (products + vectors * decisions), rows_of(node) * ops)


def zip_map(node: Node) -> Effort:
    """Copies the scores of each row into a map.

    Not counted: its keys, the class labels of an attribute.
    """
    moved = operand_bytes(node, 0)
    return Effort(bytes_read=moved, bytes_written=moved)


def from_map(node: Node) -> Effort:
    """Reads from a map what it gives: one look-up for each element.

    Not counted: reading the keys of the map, how many there are its type does not say.
    """
    moved = sequence_join(node)
    return Effort(0, result_elements(node), moved.bytes_read, moved.bytes_written)


def feature_vectorizer(node: Node) -> Effort:
    """Nothing is computed: the operands are copied side by side."""
    return Effort()


def normalizer(node: Node) -> Effort:
    """|x| or x² (norms L1 and L2), a sum or maximum, a division for each element; a root for each row of L2."""
    norm = text(node, "norm", "MAX")
    return Effort(elementwise_ops=operand_elements(node) * (2 + (norm != "MAX")) + rows_of(node) * (norm == "L2"))


CLASSIC: Mapping[str, CountWork] = {
    "ai.onnx.ml.LinearClassifier": linear,
    "ai.onnx.ml.LinearRegressor": linear,
    "ai.onnx.ml.SVMClassifier": support_vectors,
    "ai.onnx.ml.SVMRegressor": support_vectors,
    "ai.onnx.ml.Scaler": per_element(2),  # subtract the offset, multiply by the scale
    "ai.onnx.ml.Normalizer": normalizer,
    "ai.onnx.ml.Binarizer": per_element(1),
    "ai.onnx.ml.Imputer": per_element(1),
    "ai.onnx.ml.ArrayFeatureExtractor": gather(),
    "ai.onnx.ml.CategoryMapper": per_element(1),
    "ai.onnx.ml.LabelEncoder": per_element(1),
    "ai.onnx.ml.OneHotEncoder": per_element(1),
    "ai.onnx.ml.FeatureVectorizer": feature_vectorizer,
    "ai.onnx.ml.CastMap": from_map,
    "ai.onnx.ml.DictVectorizer": from_map,
    "ai.onnx.ml.ZipMap": zip_map,
}

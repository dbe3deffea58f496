"""Classical machine learning (ai.onnx.ml): linear models, trees, support vectors, encoders."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import Constant, ContainerType, Dim, TensorType, Type, Unknown, product

from .reading import dims, give, integer, integers, length, like, tensor, typed, word


def as_float(node: Node, known: Known) -> list[Type]:
    return give(node, TensorType("f32", dims(node, 0)))


def classifier(scores: Callable[[Node, int], int]) -> InferTypes:
    """A label for each row, and `scores` numbers for each row, from the number of classes."""

    def infer(node: Node, known: Known) -> list[Type]:
        rows, names = _rows(node), length(node, "classlabels_strings")
        classes = names or next((n for key in _INTEGER_LABELS if (n := length(node, key))), 0)
        columns: Dim = scores(node, classes) if classes else Unknown(f"{node.name}.classes")
        labels = TensorType("str" if names else "i64", (rows,))
        return give(node, labels, TensorType("f32", (rows, columns)))

    return infer


_INTEGER_LABELS = ("classlabels_ints", "classlabels_int64s")


def _each_class(node: Node, classes: int) -> int:
    return classes


def _svm_scores(node: Node, classes: int) -> int:
    """Without probabilities a kernel machine gives one score for each pair of classes."""
    if classes <= 2 or length(node, "prob_a") or not length(node, "vectors_per_class"):
        return classes
    return classes * (classes - 1) // 2


def regressor(targets: str | None = None, dtype: str | None = "f32") -> InferTypes:
    """One number for each row and target; attribute `targets` says how many there are."""

    def infer(node: Node, known: Known) -> list[Type]:
        shape = (_rows(node), integer(node, targets, 1) if targets else 1)
        return give(node, TensorType(dtype or tensor(node, 0).dtype, shape))

    return infer


def _rows(node: Node) -> Dim:
    """A vector is one row."""
    data = dims(node, 0)
    if data is None:
        return Unknown(f"{node.name}.rows")
    return data[0] if len(data) > 1 else 1


def label_encoder(node: Node, known: Known) -> list[Type]:
    """The element type follows from the attribute that lists the values."""
    return give(node, TensorType(_label_type(node), dims(node, 0)))


def _label_type(node: Node) -> str:
    table = node.attrs.get("values_tensor")
    if isinstance(table, Constant | TensorType):
        return table.dtype
    found = [dtype for key, dtype in _VALUE_LISTS.items() if key in node.attrs]
    return found[0] if found else _swapped(node)


_VALUE_LISTS = {"values_strings": "str", "values_int64s": "i64", "values_floats": "f32"}


def _swapped(node: Node) -> str:
    """Strings become integers and integers strings."""
    dtype = tensor(node, 0).dtype
    return {"str": "i64", "i64": "str"}.get(dtype, "?")


def category_mapper(node: Node, known: Known) -> list[Type]:
    return give(node, TensorType(_swapped(node), dims(node, 0)))


def one_hot_encoder(node: Node, known: Known) -> list[Type]:
    data = dims(node, 0)
    categories = length(node, "cats_int64s") or length(node, "cats_strings") or 0
    return give(node, TensorType("f32", None if data is None else (*data, categories)))


def feature_vectorizer(node: Node, known: Known) -> list[Type]:
    """Rows of all operands side by side, each cut or filled to its entry of inputdimensions."""
    return give(node, TensorType("f32", (_rows(node), sum(integers(node, "inputdimensions")))))


def array_feature_extractor(node: Node, known: Known) -> list[Type]:
    """Operand 1 lists positions on the last axis; a vector gives one row."""
    data, chosen = dims(node, 0), dims(node, 1)
    if not data or chosen is None:
        return give(node, typed(node, 0, None))
    return give(node, typed(node, 0, (*(data[:-1] or (1,)), product(chosen))))


def zip_map(node: Node, known: Known) -> list[Type]:
    """For each row a map from class label to score."""
    return give(node, ContainerType("seq", ContainerType("map", TensorType("f32", ()))))


def dict_vectorizer(node: Node, known: Known) -> list[Type]:
    """One row with a number for each word of the vocabulary."""
    words = length(node, "string_vocabulary") or length(node, "int64_vocabulary") or 0
    return give(node, TensorType(_map_type(node), (1, words)))


def cast_map(node: Node, known: Known) -> list[Type]:
    """One row: as many numbers as the map has, or `max_map` in sparse form."""
    dtype = {"TO_FLOAT": "f32", "TO_STRING": "str", "TO_INT64": "i64"}.get(word(node, "cast_to", "TO_FLOAT"), "?")
    sparse = word(node, "map_form", "DENSE") == "SPARSE"
    return give(node, TensorType(dtype, (1, integer(node, "max_map", 1) if sparse else Unknown(node.name))))


def _map_type(node: Node) -> str:
    """Element type of the values of a map."""
    value = node.operand(0)
    found = None if value is None else value.type
    element = found.element if isinstance(found, ContainerType) and found.kind == "map" else None
    return element.dtype if isinstance(element, TensorType) else "?"


_OPERATORS: Mapping[str, InferTypes] = {
    "ArrayFeatureExtractor": array_feature_extractor,
    "Binarizer": like(0),
    "CastMap": cast_map,
    "CategoryMapper": category_mapper,
    "DictVectorizer": dict_vectorizer,
    "FeatureVectorizer": feature_vectorizer,
    "Imputer": like(0),
    "LabelEncoder": label_encoder,
    "LinearClassifier": classifier(_each_class),
    "LinearRegressor": regressor("targets"),
    "Normalizer": as_float,
    "OneHotEncoder": one_hot_encoder,
    "SVMClassifier": classifier(_svm_scores),
    "SVMRegressor": regressor(),
    "Scaler": as_float,
    "TreeEnsemble": regressor("n_targets", dtype=None),
    "TreeEnsembleClassifier": classifier(_each_class),
    "TreeEnsembleRegressor": regressor("n_targets"),
    "ZipMap": zip_map,
}

SHAPES: Mapping[str, InferTypes] = {f"ai.onnx.ml.{name}": infer for name, infer in _OPERATORS.items()}

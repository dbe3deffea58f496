"""Text and encoded images: operators over strings, n-gram features, image decoding."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import Dim, TensorType, Type, Unknown

from .reading import broadcast, data_dependent, dims, give, integers, length, word


def string_normalizer(node: Node, known: Known) -> list[Type]:
    """Stop words are taken out of the last axis: then its length is not known."""
    data = dims(node, 0)
    if not data or not length(node, "stopwords"):
        return give(node, TensorType("str", data))
    return give(node, TensorType("str", (*data[:-1], data_dependent(node, data[-1]))))


def string_concat(node: Node, known: Known) -> list[Type]:
    return give(node, TensorType("str", broadcast(node, dims(node, 0), dims(node, 1))))


def string_split(node: Node, known: Known) -> list[Type]:
    """The parts, padded to the most parts of any string, and the number of parts of each."""
    data = dims(node, 0)
    parts = None if data is None else (*data, data_dependent(node))
    return give(node, TensorType("str", parts), TensorType("i64", data))


def regex_full_match(node: Node, known: Known) -> list[Type]:
    return give(node, TensorType("bool", dims(node, 0)))


def tf_idf(node: Node, known: Known) -> list[Type]:
    """The last axis becomes one number for each output index in ngram_indexes."""
    data, indexes = dims(node, 0), integers(node, "ngram_indexes")
    features: Dim = max(indexes) + 1 if indexes else Unknown(node.name)
    return give(node, TensorType("f32", (*data[:-1], features) if data else None))


def image_decoder(node: Node, known: Known) -> list[Type]:
    """[height, width, channels]: the encoded bytes decide the first two."""
    channels = 1 if word(node, "pixel_format", "RGB") == "Grayscale" else 3
    size = (Unknown(f"{node.name}.height"), Unknown(f"{node.name}.width"))
    return give(node, TensorType("u8", (*size, channels)))


SHAPES: Mapping[str, InferTypes] = {
    "onnx.ImageDecoder": image_decoder,
    "onnx.RegexFullMatch": regex_full_match,
    "onnx.StringConcat": string_concat,
    "onnx.StringNormalizer": string_normalizer,
    "onnx.StringSplit": string_split,
    "onnx.TfIdfVectorizer": tf_idf,
}

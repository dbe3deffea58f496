"""Text: operators over strings, n-gram features, and images that arrive encoded.

A string has no fixed size, so the bytes of these operators are unknown wherever strings cross the border.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import CountWork, Effort, UnknownWork

from .elementwise import per_element
from .sizes import integer, operand_elements, operand_shape, result_elements, text


def each_string(node: Node) -> Effort:
    """1 for each element of operand 0: a string that is searched, split or hashed.

    Not counted: the characters, how many there are only the data say.
    """
    return Effort(elementwise_ops=operand_elements(node))


def string_normalizer(node: Node) -> Effort:
    """A comparison of each string with each stop word; a change of case for each where the attribute asks for one.

    Not counted: the characters, how many there are only the data say.
    """
    words = node.attrs.get("stopwords", ())
    compared = len(words) if isinstance(words, tuple) else 0
    changed = text(node, "case_change_action", "NONE") != "NONE"
    return Effort(elementwise_ops=operand_elements(node) * (compared + changed))


def tf_idf(node: Node) -> Effort:
    """A look-up and an increment for each n-gram of each row, with every number of skipped words; a product for each
    weighted element of the result."""
    dims = operand_shape(node)
    length = dims[-1] if dims else 1
    rows = math.prod(dims[:-1])
    weighted = text(node, "mode") != "TF"
    return Effort(elementwise_ops=2 * rows * _ngrams(node, length) + weighted * result_elements(node))


def _ngrams(node: Node, length: int) -> int:
    """How many sequences of min_gram_length to max_gram_length words a row has; between two words up to
    max_skip_count are left out, as many each time."""
    shortest, longest = integer(node, "min_gram_length", 1), min(integer(node, "max_gram_length", 1), length)
    if longest > _LONGEST_NGRAM:
        raise UnknownWork(f"n-grams of up to {longest} words")
    found, skipped = length if shortest <= 1 <= longest else 0, integer(node, "max_skip_count")
    return found + sum(_skipping(length, words, skipped) for words in range(max(shortest, 2), longest + 1))


def _skipping(length: int, words: int, most_skipped: int) -> int:
    """Sequences of so many words over all skips: the span of the words is (words - 1) · (skip + 1) + 1."""
    skips = min(most_skipped + 1, (length - 1) // (words - 1))
    return max(skips, 0) * length - (words - 1) * max(skips, 0) * (max(skips, 0) + 1) // 2


_LONGEST_NGRAM = 1000


STRINGS: Mapping[str, CountWork] = {
    "onnx.RegexFullMatch": each_string,
    "onnx.StringConcat": per_element(1),
    "onnx.StringNormalizer": string_normalizer,
    "onnx.StringSplit": each_string,
    "onnx.TfIdfVectorizer": tf_idf,
    "com.microsoft.MurmurHash3": each_string,
}

"""What is wrong with a node whose operands do not fit together."""

from __future__ import annotations

from graphcost.errors import ModelError
from graphcost.ir import Node


class ShapeMismatch(ModelError):
    """The types of a node's operands, its attributes and its constants contradict each other."""

    def __init__(self, node: Node, sentence: str) -> None:
        super().__init__(f"node {node.name!r} ({node.op}): {sentence}")
        self.node = node
        self.sentence = sentence

    def __reduce__(self) -> tuple[type[ShapeMismatch], tuple[Node, str]]:
        return type(self), (self.node, self.sentence)

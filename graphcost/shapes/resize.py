"""Other input sizes."""
from __future__ import annotations
from graphcost.errors import ResizeError
def resize(graph, inputs, operators, dims=None):  # type: ignore
    raise ResizeError("x", "later")

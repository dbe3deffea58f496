"""Which operators a runtime takes, and which nodes of a model it would refuse. Facts by release, as data.

    table    the operators that TensorRT's parser imports, by release and element type
    verdict  what a release says to one operator
    check    what it says to a model, before any pass has touched the graph
"""

from __future__ import annotations

from .check import Unsupported, sentences, unsupported_nodes
from .executed import executed_nodes
from .verdict import SUPPORTED, Refused, Supported, Untold, Verdict, verdict

__all__ = [
    "SUPPORTED",
    "Refused",
    "Supported",
    "Unsupported",
    "Untold",
    "Verdict",
    "executed_nodes",
    "sentences",
    "unsupported_nodes",
    "verdict",
]

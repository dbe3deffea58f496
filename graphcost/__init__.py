"""graphcost: what a network will cost on an embedded NVIDIA GPU, told from its ONNX file.

    import graphcost
    report = graphcost.analyze("model.onnx", device="nano")
    report.totals.latency_ms

Names are loaded when they are first used, so that importing the package is cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .api import Run, analyze, explain, opt, run
    from .cost import Bound, Cost, CostModel, KernelQuery, Refusal, Trust
    from .diff import Diff, compare
    from .engine import Comparison, compare_engine
    from .errors import ModelError, ResizeError, UsageError, UserError
    from .ir import Graph, Node, Value
    from .operators import Effort, Operators
    from .pipeline import UNCHANGED, Change, Context, Pass, PassFailed
    from .plugin import Plugin, lazily
    from .report import Report
    from .target import Target, make_target
    from .text import parse_graph, print_graph
    from .types import TensorType

_ROOMS = {
    "api": ("Run", "analyze", "explain", "opt", "run"),
    "cost": ("Bound", "Cost", "CostModel", "KernelQuery", "Refusal", "Trust"),
    "diff": ("Diff", "compare"),
    "engine": ("Comparison", "compare_engine"),
    "errors": ("ModelError", "ResizeError", "UsageError", "UserError"),
    "ir": ("Graph", "Node", "Value"),
    "operators": ("Effort", "Operators"),
    "pipeline": ("UNCHANGED", "Change", "Context", "Pass", "PassFailed"),
    "plugin": ("Plugin", "lazily"),
    "report": ("Report",),
    "target": ("Target", "make_target"),
    "text": ("parse_graph", "print_graph"),
    "types": ("TensorType",),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "__version__",
    "Bound",
    "Change",
    "Comparison",
    "Context",
    "Cost",
    "CostModel",
    "Diff",
    "Effort",
    "Graph",
    "KernelQuery",
    "ModelError",
    "Node",
    "Operators",
    "Pass",
    "PassFailed",
    "Plugin",
    "Refusal",
    "Report",
    "ResizeError",
    "Run",
    "Target",
    "TensorType",
    "Trust",
    "UNCHANGED",
    "UsageError",
    "UserError",
    "Value",
    "analyze",
    "compare",
    "compare_engine",
    "explain",
    "lazily",
    "make_target",
    "opt",
    "parse_graph",
    "print_graph",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'graphcost' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"graphcost.{_HOME[name]}"), name)

"""TensorRT's own files: what trtexec writes of a real engine, and the same of a predicted one.

    read (layer)        --exportLayerInfo and --exportProfile → Engine
    names, resolve      a layer's name → the ONNX nodes that it spells
    align, regions      predicted kernels × engine layers → Comparison

Names are loaded when they are first used: each report reads the types of layers, few compare an engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .align import Alignment
    from .compare import compare_engine
    from .comparison import Apart, Comparison, Match, Member
    from .layer import Engine, EngineLayer, EngineTensor
    from .read import load_engine

_FILES = {
    "align": ("Alignment",),
    "compare": ("compare_engine",),
    "comparison": ("Apart", "Comparison", "Match", "Member"),
    "layer": ("Engine", "EngineLayer", "EngineTensor"),
    "read": ("load_engine",),
}
_HOME = {name: file for file, names in _FILES.items() for name in names}

__all__ = [
    "Alignment", "Apart", "Comparison", "Engine", "EngineLayer", "EngineTensor", "Match", "Member", "compare_engine",
    "load_engine",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'graphcost.engine' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"graphcost.engine.{_HOME[name]}"), name)

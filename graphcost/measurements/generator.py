"""Rows whose model is made and not read: a Python file says how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from graphcost.errors import UsageError

Generator: TypeAlias = "Callable[[Mapping[str, str]], Any]"
"""From the columns of a row to the model: a path, the bytes of a file or an onnx.ModelProto."""

NAMES = ("model_of", "build_row")
"""Functions that are looked for in the file, in this order."""


def load_generator(path: str | Path) -> Generator:
    """The function `model_of(row)`, or `build_row(row)`, of a Python file. UsageError where it cannot be loaded."""
    file = Path(path)
    if not file.is_file() or file.suffix != ".py":
        raise UsageError(f"generator {str(file)!r} is no Python file (.py)")
    found = vars(_module(file))
    for name in NAMES:
        if callable(found.get(name)):
            generator: Generator = found[name]
            return generator
    raise UsageError(f"generator {str(file)!r} defines no function {' or '.join(NAMES)}(row)")


def _module(file: Path) -> ModuleType:
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(f"graphcost_generator_{file.stem}", file)
    assert spec is not None and spec.loader is not None, "every .py file has a loader"
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UsageError(f"generator {str(file)!r} cannot be loaded: {type(error).__name__}: {error}") from error
    return module

"""The door for passes, cost models and operators: built-in ones and a user's come through it alike.

A package brings a `Plugin` object and names it in the entry-point group `graphcost.plugins`; a single file brings one
called PLUGIN and is named with `--plugin file.py`. Entry points are frozen when a package is installed, the contents
of its Plugin are not. Loaders keep start-up fast: what is not used is not imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from .cost import CostModel
from .errors import UnknownName, UsageError
from .operators import Operators
from .pipeline import Pass

GROUP = "graphcost.plugins"

T = TypeVar("T")
Loader = Callable[[], T]


@dataclass(frozen=True)
class Plugin:
    """What a plug-in offers, by name: loaders of pass classes, of cost models, and of tables of operators."""

    passes: Mapping[str, Loader[type[Pass]]] = field(default_factory=dict)
    cost_models: Mapping[str, Loader[CostModel]] = field(default_factory=dict)
    operators: Loader[Operators] | None = None


@dataclass(frozen=True)
class Registry:
    """All plug-ins together."""

    passes: Mapping[str, Loader[type[Pass]]]
    models: Mapping[str, Loader[CostModel]]
    operators: Operators

    def cost_model(self, name: str) -> CostModel:
        if name not in self.models:
            raise UnknownName("cost model", name, sorted(self.models))
        model: CostModel | type[CostModel] = self.models[name]()
        return model() if isinstance(model, type) else model  # `lazily` loads the class


def lazily(module: str, name: str) -> Loader[Any]:
    """A loader that imports a module when it is called: `lazily("graphcost.passes.dce", "RemoveDeadCode")`."""

    def load() -> Any:
        from importlib import import_module

        return getattr(import_module(module), name)

    return load


def load_registry(files: Iterable[str | Path] = (), extra: Mapping[str, Plugin] | None = None) -> Registry:
    """The built-in tables, every installed plug-in, then the files in order, then `extra` ones by name."""
    plugins = {**_installed(), **{str(file): _from_file(Path(file)) for file in files}, **(extra or {})}
    operators = builtin_operators()
    for owner, plugin in plugins.items():
        operators = _extend(operators, owner, plugin)
    return Registry(
        _collect("pass", {owner: plugin.passes for owner, plugin in plugins.items()}),
        _collect("cost model", {owner: plugin.cost_models for owner, plugin in plugins.items()}),
        operators,
    )


def builtin_operators() -> Operators:
    """What graphcost itself knows of operators."""
    from .importer.onnx_inference import infer_unlisted
    from .memory.aliases import ALIASES
    from .shapes import EVALUATORS, SHAPES
    from .work import WORK

    return Operators(SHAPES, EVALUATORS, WORK, ALIASES, infer_unlisted)


def _installed() -> dict[str, Plugin]:
    from importlib.metadata import entry_points

    found = {}
    for entry in entry_points(group=GROUP):
        owner = f"{entry.dist.name}:{entry.name}" if entry.dist else entry.name
        try:
            found[owner] = _checked(entry.load(), owner)
        except UsageError:
            raise
        except Exception as error:
            raise UsageError(f"plug-in {owner} cannot be loaded: {type(error).__name__}: {error}") from error
    return found


def _from_file(path: Path) -> Plugin:
    """The PLUGIN of a Python file."""
    if not path.is_file():
        raise UsageError(f"plug-in {path} is not a file")
    try:
        module = _as_module(path)
    except Exception as error:
        raise UsageError(f"plug-in {path} cannot be loaded: {type(error).__name__}: {error}") from error
    if not hasattr(module, "PLUGIN"):
        raise UsageError(f"plug-in {path} defines no PLUGIN = graphcost.Plugin(...)")
    return _checked(module.PLUGIN, str(path))


def _as_module(path: Path) -> ModuleType:
    """Run a file as a module that Python can find by name, for that is where the annotations of the options of its
    passes are looked up."""
    import sys

    module = ModuleType(f"graphcost_plugin_{path.resolve()}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    return module


def _checked(plugin: object, owner: str) -> Plugin:
    if not isinstance(plugin, Plugin):
        raise UsageError(f"plug-in {owner} is a {type(plugin).__name__}, not a graphcost.Plugin")
    return plugin


def _extend(operators: Operators, owner: str, plugin: Plugin) -> Operators:
    if plugin.operators is None:
        return operators
    try:
        return operators.extended(plugin.operators())
    except ValueError as error:
        raise UsageError(f"plug-in {owner}: {error}") from None


def _collect(kind: str, offers: Mapping[str, Mapping[str, Loader[T]]]) -> dict[str, Loader[T]]:
    """Every offer by name. Two plug-ins that offer one name are refused, both named."""
    found: dict[str, Loader[T]] = {}
    owners: dict[str, str] = {}
    for owner, offered in offers.items():
        for name, loader in offered.items():
            if name in owners:
                raise UsageError(f"{kind} '{name}' is offered by {owners[name]} and by {owner}")
            found[name], owners[name] = loader, owner
    return found

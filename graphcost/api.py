"""The way through, from a model to a report: what the command line and Python users call."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from .analyses import MEMORY, VALUES, WORK
from .cost import Cost, CostModel, KernelQuery, TacticModel, estimate_all, tactics_of
from .device import DeviceProfile
from .errors import ModelError, UsageError
from .importer import Imported, load, parse_sizes
from .intervals import total_interval_ms
from .ir import Graph, InvalidIR, Node
from .journal import Journal
from .kernels import queries_of
from .memory import plan_arena, plan_best_fit, reorder_gain_bytes
from .pipeline import Analyses, Context, Instrument, Pass, Pipeline, Stage, Tactics
from .plugin import Plugin, Registry, load_registry
from .reduce import Findings, reduce
from .report import Report
from .spec import Insertion, insert, parse_insertion, parse_stages
from .support import Unsupported, unsupported_nodes
from .target import Target, make_target, parse_target_header

if TYPE_CHECKING:
    from .shapes.facts import Facts
    from .training import TrainingOptions

Source: TypeAlias = "str | os.PathLike[str] | bytes | Any"
"""A path, the bytes of a file, an onnx.ModelProto or an onnx_graphsurgeon.Graph."""

Shapes: TypeAlias = "Iterable[str] | Mapping[str, Sequence[int]]"
Dims: TypeAlias = "Iterable[str] | Mapping[str, int]"
Inserted: TypeAlias = "str | tuple[Pass, str]"


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the garbage collector: a graph is many small objects that live to the end, and to look through them again
    and again finds nothing and makes time grow faster than the number of nodes."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@dataclass(frozen=True)
class Setup:
    """What a model is analysed with."""

    registry: Registry
    target: Target
    stages: tuple[Stage, ...]
    models: tuple[CostModel, ...]

    def context(self, graph: Graph, facts: Facts) -> Context:
        """What passes over a graph may use, with an empty journal. `facts` is what inference found out."""
        analyses = Analyses(graph, self.registry.operators)
        analyses.put(VALUES, facts)
        return Context(self.target, analyses, Journal(), self.estimate, self.tactics)

    def estimate(self, queries: Sequence[KernelQuery]) -> list[Cost]:
        return estimate_all(queries, self.target.device, self.models)

    @property
    def tactics(self) -> Tactics | None:
        """What the cost models know of kernels that could run a query; None where none knows of any."""
        device, models = self.target.device, [model for model in self.models if isinstance(model, TacticModel)]
        return (lambda queries: tactics_of(queries, device, models)) if device is not None and models else None

    def costs(self, graph: Graph, ctx: Context) -> dict[Node, Cost]:
        """What each node of a graph of kernels takes."""
        return dict(zip(graph, self.estimate(queries_of(graph, ctx.get(WORK), self.registry.operators))))


@dataclass(frozen=True)
class Run:
    """One analysis: the report, and what it was made from."""

    report: Report
    graph: Graph
    journal: Journal
    costs: Mapping[Node, Cost]
    target: Target
    stages: tuple[Stage, ...]
    setup: Setup


def analyze(model: Source, device: str | DeviceProfile | None = None, **options: Any) -> Report:
    """What a model costs on a device: the report of `run`, which lists the options."""
    return run(model, device, **options).report


@collector_paused()
def run(
    model: Source,
    device: str | DeviceProfile | None = None,
    *,
    runtime: str | None = None,
    precision: str | None = None,
    mode: str = "inference",
    batch: int | None = None,
    shapes: Shapes = (),
    dims: Dims = (),
    insert: Iterable[Inserted] = (),
    pipeline: str | None = None,
    cost_models: Sequence[str | CostModel] = (),
    plugins: Iterable[str | Path | Plugin] = (),
    no_tf32: bool = False,
    training: TrainingOptions | None = None,
    instruments: Sequence[Instrument] = (),
    paranoid: bool = False,
) -> Run:
    """Import a model, turn it into the kernels of the runtime, cost them and sum up.

    `device` is a name with an optional power mode (`orin-nano@15W`) or the path of a TOML file; without one, only work
    and memory are told. `training` costs a training step made with these options (`mode="training"`: with the default
    ones), by default in the runtime `pytorch`.
    `insert` adds passes, as text (`my-pass{n=3}@after:fusion`) or as (pass, "after:fusion").
    Raises a UserError when something given cannot be used, PassFailed when a pass breaks.
    """
    setup = set_up(
        device, runtime=runtime, precision=precision, mode=mode, insert=insert, pipeline=pipeline,
        cost_models=cost_models, plugins=plugins, no_tf32=no_tf32, training=training,
    )  # fmt: skip
    sizes, operators = parse_sizes(shapes, dims, batch), setup.registry.operators
    imported = load(model, operators, sizes)
    unsupported = unsupported_nodes(imported.graph, imported.facts, setup.target.runtime)
    ctx = setup.context(imported.graph, imported.facts)
    graph = imported.graph
    Pipeline(setup.stages, tuple(instruments), paranoid).run(
        graph, ctx, remake=lambda: load(model, operators, sizes).graph
    )
    findings = _find(imported, setup, ctx, unsupported)
    return Run(reduce(findings), graph, ctx.journal, findings.costs, setup.target, setup.stages, setup)


@collector_paused()
def opt(model: Source, passes: str, device: str | DeviceProfile | None = None, **options: Any) -> str:
    """The text of a model's graph, or of a `.gcir` file's, after passes: `"fold-shapes,dce"`."""
    from .text import print_graph

    plugins = options.pop("plugins", ())
    registry = _registry(plugins)
    graph, ctx = _open(model, registry, device, options)
    Pipeline(parse_stages(passes, registry.passes)).run(graph, ctx)
    return print_graph(graph, target=ctx.target.header())


def explain(found: Run, node: str) -> list[str]:
    """What became of an ONNX node and why, as lines."""
    from .explanation import explain_node

    return explain_node(found, node)


def pipeline_of(
    device: str | None = None,
    *,
    insert: Iterable[Inserted] = (),
    pipeline: str | None = None,
    plugins: Iterable[str | Path | Plugin] = (),
    **options: Any,
) -> tuple[Stage, ...]:
    """The stages that a run with these options would go through."""
    return set_up(device, insert=insert, pipeline=pipeline, plugins=plugins, **options).stages


def set_up(
    device: str | DeviceProfile | None = None,
    *,
    runtime: str | None = None,
    precision: str | None = None,
    mode: str = "inference",
    insert: Iterable[Inserted] = (),
    pipeline: str | None = None,
    cost_models: Sequence[str | CostModel] = (),
    plugins: Iterable[str | Path | Plugin] = (),
    no_tf32: bool = False,
    training: TrainingOptions | None = None,
) -> Setup:
    """The operators, the target, its passes and cost models that these options of `run` mean."""
    registry = _registry(plugins)
    target = make_target(device, runtime, precision, "training" if training else mode, no_tf32=no_tf32)
    stages = _stages(target, registry, pipeline, insert)
    if training:
        from .training import configure

        stages = configure(stages, training)
    return Setup(registry, target, stages, _models(target, registry, cost_models))


def _registry(plugins: Iterable[str | Path | Plugin]) -> Registry:
    given = list(plugins)
    objects = {f"plug-in {n}": p for n, p in enumerate(given, 1) if isinstance(p, Plugin)}
    return load_registry([p for p in given if not isinstance(p, Plugin)], objects)


def _stages(
    target: Target, registry: Registry, pipeline: str | None, inserted: Iterable[Inserted]
) -> tuple[Stage, ...]:
    text = target.runtime.pipeline(target.mode) if pipeline is None else pipeline
    stages = parse_stages(text, registry.passes)
    for item in inserted:
        stages = insert(stages, _insertion(item, registry))
    return stages


def _insertion(item: Inserted, registry: Registry) -> Insertion:
    if isinstance(item, str):
        return parse_insertion(item, registry.passes)
    step, where = item
    place, _, anchor = where.removeprefix("@").partition(":")
    if place not in ("before", "after", "end"):
        raise UsageError(f"'{where}' does not say where to insert: before:NAME, after:NAME or end")
    return Insertion(step, place, anchor)


def _models(target: Target, registry: Registry, chosen: Sequence[str | CostModel] = ()) -> tuple[CostModel, ...]:
    names = chosen or target.runtime.cost_models
    return tuple(registry.cost_model(model) if isinstance(model, str) else model for model in names)


def _find(imported: Imported, setup: Setup, ctx: Context, unsupported: tuple[Unsupported, ...]) -> Findings:
    graph, work, memory = imported.graph, ctx.get(WORK), ctx.get(MEMORY)
    costs, is_step = setup.costs(graph, ctx), setup.target.mode == "training"
    arena = plan_best_fit(memory.storages) if is_step else plan_arena(memory.storages)
    gain = 0 if is_step else reorder_gain_bytes(memory, ctx.analyses.operators)
    interval_ms = total_interval_ms(costs.values(), setup.models, setup.target.device)
    return Findings(
        imported, setup.target, graph, work, costs, memory, arena, gain, ctx.journal, unsupported, interval_ms
    )


def _open(
    model: Source, registry: Registry, device: str | DeviceProfile | None, options: dict[str, Any]
) -> tuple[Graph, Context]:
    """A graph to run passes over: parsed if it is text, imported otherwise."""
    sizes = parse_sizes(options.pop("shapes", ()), options.pop("dims", ()), options.pop("batch", None))
    if isinstance(model, (str, os.PathLike)) and os.fspath(model).endswith(".gcir"):
        return _open_text(Path(model), registry, device, options)
    target = make_target(device, **options)
    imported = load(model, registry.operators, sizes)
    setup = Setup(registry, target, (), _models(target, registry))
    return imported.graph, setup.context(imported.graph, imported.facts)


def _open_text(
    path: Path, registry: Registry, device: str | DeviceProfile | None, options: dict[str, Any]
) -> tuple[Graph, Context]:
    """A `.gcir` file; its `; target:` line counts where no device is given."""
    from .text import TextError, parse_graph, parse_target

    try:
        text = path.read_text(encoding="utf-8")
        graph = parse_graph(text)
        graph.verify()
    except (OSError, UnicodeDecodeError, TextError, InvalidIR) as error:
        raise ModelError(f"cannot read {path}: {error}") from None
    header = parse_target(text)
    target = parse_target_header(header) if header and device is None else make_target(device, **options)
    analyses = Analyses(graph, registry.operators)
    setup = Setup(registry, target, (), _models(target, registry))
    return graph, Context(target, analyses, Journal(), setup.estimate, setup.tactics)

"""What a kernel takes: the question (KernelQuery), the answer (Cost), who may answer (CostModel), who is believed."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import Enum
from operator import attrgetter
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from .device import DeviceProfile
from .geometry import Contraction, Window
from .types import Attr, TensorType
from .work.node import Work


class Trust(Enum):
    """How a figure came about, the most trustworthy first. A model that is trusted more is believed before others."""

    MEASURED = "measured"
    FITTED = "fitted"
    PRIOR = "prior"
    ANALYTIC = "analytic"
    UNKNOWN = "unknown"


class Bound(Enum):
    """Which resource decides how long a kernel takes."""

    COMPUTE = "compute"
    MEMORY = "memory"
    LAUNCH = "launch"
    UNKNOWN = "unknown"
    NONE = "none"
    """Nothing is launched: a view."""


@dataclass(frozen=True, slots=True)
class KernelQuery:
    """All that a cost model may know of a kernel. Free of graphs, so that a model can be tested from a table.

    `kind` is the kernel's family (`conv`, `gemm`, `pointwise`, …), `precision` what it computes in (`f32`, `tf32`,
    `f16`, `i8`, …). Types are those at its border.
    """

    kind: str
    op: str
    precision: str
    inputs: tuple[TensorType, ...]
    outputs: tuple[TensorType, ...]
    work: Work
    work_known: bool = True
    """False when the work is only the part of it that could be counted."""
    attrs: Mapping[str, Attr] = field(default_factory=dict)
    phase: str = "forward"
    launches: bool = True
    """False for a view, which costs nothing."""
    contractions: tuple[Contraction, ...] = ()
    """The matrix products inside, one for each; one whose dimensions are not all known is left out."""
    epilogue: tuple[str, ...] = ()
    """Operators fused behind the first of them, or behind a pooling: ("Add", "Relu")."""
    window: Window | None = None
    """Of the first convolution or pooling inside."""
    steps: int = 1
    """Launches that wait for one another: the time steps of a recurrent layer."""


@dataclass(frozen=True, slots=True)
class Cost:
    """An estimate of one kernel's time, in milliseconds, with a 90 % interval; None where nobody knows."""

    latency_ms: float | None
    low_ms: float | None = None
    high_ms: float | None = None
    bound: Bound = Bound.UNKNOWN
    trust: Trust = Trust.UNKNOWN
    model: str = ""
    tactic: str | None = None
    reasons: tuple[str, ...] = ()
    """Why the models that did not answer did not."""
    extrapolates: tuple[str, ...] = ()
    """In what the kernel lies outside of what the model was fitted to: a reason to measure it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A model cannot speak about this kernel on this device: one sentence."""

    reason: str


Estimate: TypeAlias = "Cost | Refusal"

FREE = Cost(0.0, 0.0, 0.0, Bound.NONE, Trust.ANALYTIC, "none")


class CostModel(Protocol):
    """A pure function of queries and a device, in batches so that numpy can do many at once."""

    @property
    def name(self) -> str: ...

    def estimate(self, queries: Sequence[KernelQuery], device: DeviceProfile) -> Sequence[Estimate]:
        """One answer for each query, in order."""
        ...


class Tactic(NamedTuple):
    """A kernel that could run a layer: its name, how it lays out what it reads and writes, and how long it takes.

    `format` (a key of `graphcost.types.CHANNEL_LANES`) is that of the activations, weights aside; `result_format` is
    given where the results have another, as after a first layer (`hwc4` -> `hwc8`).
    """

    name: str
    format: str
    latency_ms: float
    result_format: str | None = None

    @property
    def writes(self) -> str:
        return self.result_format or self.format


@runtime_checkable
class KnowsTotals(Protocol):
    """A cost model whose errors on whole networks are known, too."""

    @property
    def name(self) -> str: ...

    def total_factors(self, device: DeviceProfile) -> tuple[float, float] | None:
        """The 90 % interval of a network's latency, as factors of the predicted one; None where it is not known."""
        ...


@runtime_checkable
class TacticModel(Protocol):
    """A cost model that also knows the kernels among which TensorRT's autotuner chooses.

    The chosen one's name becomes the attribute `tactic` of the node, its formats those of the node's types; then
    `estimate` must price the node with that tactic: its latency is what `tactics` said.
    """

    @property
    def name(self) -> str: ...

    def tactics(self, queries: Sequence[KernelQuery], device: DeviceProfile) -> Sequence[Sequence[Tactic]]:
        """For each query, in order, the candidates in the query's precision, the fastest first. Types in a query are
        linear: they say shapes. Empty for what the model does not know: the format table then decides.
        What is hopeless may be left out: the two fastest of each format are enough."""
        ...


def tactics_of(
    queries: Sequence[KernelQuery], device: DeviceProfile, models: Sequence[TacticModel]
) -> list[Sequence[Tactic]]:
    """The candidates of each query: those of the first model that knows any. Networks repeat their blocks, so queries
    that are alike are asked once."""
    keys = [_contents(query) for query in queries]
    distinct = dict(zip(keys, queries))
    answers = [model.tactics(list(distinct.values()), device) for model in models]
    found = dict(zip(distinct, (next((row for row in rows if row), ()) for rows in zip(*answers))))
    return [found[key] for key in keys]


def _contents(query: KernelQuery) -> Hashable:
    """All of a query, by which it can be found again."""
    return _ALL_BUT_ATTRS(query), *query.attrs.items()


_ALL_BUT_ATTRS = attrgetter(*(each.name for each in fields(KernelQuery) if each.name != "attrs"))


def estimate_all(
    queries: Sequence[KernelQuery], device: DeviceProfile | None, models: Sequence[CostModel]
) -> list[Cost]:
    """The most trusted answer to each query; of equally trusted ones that of the model named first. What launches
    nothing is free; what no model can estimate is unknown, with the reason of each."""
    if device is None:
        return [Cost(None, reasons=("no device",)) if q.launches else FREE for q in queries]
    answers = [list(model.estimate(queries, device)) for model in models]
    return [_believe(query, [row[i] for row in answers], models) for i, query in enumerate(queries)]


def _believe(query: KernelQuery, answers: Sequence[Estimate], models: Sequence[CostModel]) -> Cost:
    if not query.launches:
        return FREE
    costs = [answer for answer in answers if isinstance(answer, Cost)]
    reasons = tuple(f"{m.name}: {a.reason}" for m, a in zip(models, answers) if isinstance(a, Refusal))
    if not costs:
        return Cost(None, reasons=reasons or ("no cost model",))
    return min(costs, key=lambda cost: _RANK[cost.trust])


_RANK = {trust: rank for rank, trust in enumerate(Trust)}

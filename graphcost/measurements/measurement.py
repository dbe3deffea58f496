"""One measured latency: of a network or of a layer, on a device, as somebody published it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

Scope = Literal["network", "layer"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

Measure = Literal["compute", "with_copies", "wall", "profile", ""]
"""`compute`: GPU time of the engine; `with_copies`: plus copies in and out; `wall`: host clock over enqueue and
synchronise; `profile`: a layer with the profiler attached; empty: not known."""
MEASURES: tuple[Measure, ...] = get_args(Measure)

LAYER_JOINT = " + "
"""Between the names of the ONNX nodes of a layer, as TensorRT writes them."""


@dataclass(frozen=True)
class Generated:
    """A model that is made and not read: `row` is the line of the table that describes it."""

    make: Callable[[Mapping[str, str]], Any] = field(compare=False, repr=False)
    row: Mapping[str, str] = field(hash=False)

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        return tuple(sorted(self.row.items()))


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A row of the common form. An empty text is "not known"; `batch` None is that of the file.

    `latency_ms` is for one inference of the whole batch. `family` is what is kept together when fit and test are
    split; a row that names none is a family of its own model. `where` says where the row stands: "data.csv, line 7".
    """

    device: str
    runtime: str
    precision: str
    model: str
    latency_ms: float
    where: str
    model_file: Path | None = None
    generated: Generated | None = None
    power_mode: str = ""
    batch: int | None = None
    shapes: str = ""
    scope: Scope = "network"
    layer: str = ""
    measure: Measure = ""
    source: str = ""
    family: str = ""
    use: str = ""

    @property
    def device_spec(self) -> str:
        """What `--device` takes: "nano@MAXN"."""
        return f"{self.device}@{self.power_mode}" if self.power_mode else self.device

    @property
    def network(self) -> str:
        """The model by the name that people read: that of its file, or what its row calls it."""
        if self.generated is not None:
            return self.generated.row.get("network") or "-"
        return Path(self.model).name.removesuffix(".onnx")

    @property
    def kin(self) -> str:
        """What is kept together when fit and test are split: the family, or the network itself where none is named."""
        return self.family or self.network

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the ONNX nodes in a layer."""
        return tuple(part.strip() for part in self.layer.split(LAYER_JOINT)) if self.layer else ()

"""The catalogue: which kernels an architecture has for a kind of operator and a precision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcost.toml_files import files_of, read_toml

FOLDER = Path(__file__).parent / "catalogue"

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

ANY = "*"
"""As a precision: compiled for each type. As a layout: takes the one that its neighbours have."""

_NO_LIMIT = 1 << 40

_GENERATIONS: Mapping[str, tuple[str, ...]] = {
    "maxwell": ("sm_53", "sm_60", "sm_61", "sm_62"),
    "volta": ("sm_70", "sm_72"),
    "turing": ("sm_75", "sm_80", "sm_86", "sm_87", "sm_89"),
    "ampere": ("sm_80", "sm_86", "sm_87", "sm_89", "sm_90"),
}
"""The architectures of which a file speaks, so that the others need not be read; a file that is not listed speaks of
all."""


@dataclass(frozen=True)
class Kernel:
    """One kernel: a tile of tile_m pixels x tile_n output channels, tile_k deep at each step, by `warps` warps.

    A kernel that reduces nothing computes `tile_m` results a block.
    """

    name: str
    family: str
    serves: tuple[str, ...]  # kinds of KernelQuery
    precision: str
    unit: str  # "tensor" or "cuda"
    architectures: tuple[str, ...]  # none named: all
    layout: str  # of activations, as in TensorType.format
    source: str
    tile_m: int
    tile_n: int
    tile_k: int
    stages: int
    warps: int
    split_k: int = 1
    align: int = 1  # channels are padded to a multiple of this, at each position of the window
    winograd: int = 0  # edge of the output tile of F(m x m, 3 x 3); 0: computed directly
    pointwise_only: bool = False  # windows of one pixel at stride 1
    max_channels: int = _NO_LIMIT
    max_rows: int = _NO_LIMIT
    shared_memory: bool = True
    load_clocks: float = 0.0  # of shared memory, for four operands of each thread of a warp; 0: not told apart
    step_clocks: float = 0.0  # that a block waits at each step, with nobody else on its SM; 0: not told apart

    def runs_on(self, architecture: str) -> bool:
        return not self.architectures or architecture in self.architectures

    def computes(self, precision: str) -> bool:
        return self.precision in (ANY, precision)


@dataclass(frozen=True)
class Catalogue:
    """Kernels as arrays, one element a kernel, for arithmetic over all of them at once."""

    kernels: tuple[Kernel, ...]
    tile_m: Ints
    tile_n: Ints
    tile_k: Ints
    stages: Ints
    warps: Ints
    split_k: Ints
    align: Ints
    winograd: Ints
    shared_memory: Ints
    load_clocks: Floats
    step_clocks: Floats

    def __len__(self) -> int:
        return len(self.kernels)

    @classmethod
    def of(cls, kernels: Sequence[Kernel]) -> Catalogue:
        names = ("tile_m", "tile_n", "tile_k", "stages", "warps", "split_k", "align", "winograd", "shared_memory")
        whole = {name: np.array([getattr(kernel, name) for kernel in kernels], np.int64) for name in names}
        load_clocks, step_clocks = (
            np.array([getattr(kernel, name) for kernel in kernels], float) for name in ("load_clocks", "step_clocks")
        )
        return cls(tuple(kernels), **whole, load_clocks=load_clocks, step_clocks=step_clocks)


def catalogue_of(architecture: str, precision: str, kind: str) -> Catalogue:
    """The kernels for one kind of query ("conv", "gemm", "pool", …), in the order of the files; possibly none."""
    return _catalogue(architecture, precision, kind)


@cache
def _catalogue(architecture: str, precision: str, kind: str) -> Catalogue:
    own = [kernel for kernel in read_kernels(architecture) if kernel.runs_on(architecture)]
    return Catalogue.of([kernel for kernel in own if kind in kernel.serves and kernel.computes(precision)])


@cache
def read_kernels(architecture: str | None = None) -> tuple[Kernel, ...]:
    """All kernels of the files that have some for an architecture; of all files where none is named."""
    return tuple(
        kernel
        for name, path in files_of(FOLDER).items()
        if architecture is None or architecture in _GENERATIONS.get(name, (architecture,))
        for table in _tables(read_toml(path))
        for kernel in _expanded(table)
    )


def _tables(file: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(file["kernels"])


def _expanded(table: Mapping[str, Any]) -> Iterator[Kernel]:
    """One kernel for each tile and each way to split K."""
    for m, n, k, stages, warps in table["tiles"]:
        for split in table.get("split_k", [1]):
            yield Kernel(
                name=_name(table["name"], m, n, k, stages, split),
                family=table["family"],
                serves=tuple(table["serves"]),
                precision=table["precision"],
                unit=table["unit"],
                architectures=tuple(table.get("architectures", ())),
                layout=table["layout"],
                source=table["source"],
                tile_m=m,
                tile_n=n,
                tile_k=k,
                stages=stages,
                warps=warps,
                split_k=split,
                **{key: table[key] for key in _OPTIONAL if key in table},
            )


_OPTIONAL = (
    "align", "winograd", "pointwise_only", "max_channels", "max_rows", "shared_memory", "load_clocks", "step_clocks",
)  # fmt: skip


def _name(pattern: str, m: int, n: int, k: int, stages: int, split: int) -> str:
    name = pattern.format(m=m, n=n, k=k, stages=stages)
    return name if split == 1 else f"{name}_splitK{split}"

"""Queries → numbers: what of a kernel decides its time on a device, before any parameter is known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphcost.cost import KernelQuery
from graphcost.device import DeviceProfile
from graphcost.geometry import Contraction

from ..tiles import Catalogue, Columns, TileTerms, limits_of, tile_terms
from .kernels import SERVED, Candidates, NumericKind

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

CONTRACTION, DEPTHWISE, POINTWISE, POOL, OTHER = range(5)
"""Families of kernels: each has its share of the memory's bandwidth."""

_FAMILIES: Mapping[str, int] = {"pointwise": POINTWISE, "quantize": POINTWISE, "pool": POOL}

DIRECT, GEMM, ONE_CHANNEL, VECTOR = range(4)
"""Parts of a kernel: windows of several pixels; matrix products; depthwise; so few rows that one row of tiles does."""

_ROWS_OF_A_VECTOR = 4

_VECTOR_TILE = 32
"""Rows and columns of the tile for so few rows: on a Jetson Nano the last layers of 480 networks (10 results of up to
6·10^5 inputs) take as long for each input as one such tile does."""

_GROUP_COLUMNS = 32
"""The narrowest tile that all architectures have."""

_COPIES = 2.0
"""How often a convolution that is padded by its whole window, or by more, moves its operands beside multiplying them.
It shows in 3,318 networks on a Jetson Nano with such 1x1 and 2x2 convolutions, and in others whose 1x1 convolutions
have no border and take less; which kernels do it no log says: a padded copy of the input and a pass for bias and ReLU
would be as many bytes."""

_WINOGRAD_ROWS, _WINOGRAD_COLUMNS, _WINOGRAD_CHANNELS = 8, 16, 32
"""What a block of F(2x2, 3x3) computes. "tile148" in its name is 4 x 8 tiles of 2 x 2 pixels; that 8 x 16 pixels and
32 channels are its steps shows in the latencies of 898 networks on a Jetson Nano (docs/latency.md)."""
_WINOGRAD_AREA = _WINOGRAD_ROWS * _WINOGRAD_COLUMNS * _WINOGRAD_CHANNELS
_WINOGRAD_TAPS = 4
"""Products per pixel and channel instead of 9: (2 + 2)² / 2² (Lavin and Gray, 2016)."""
_WINOGRAD_LEAST_CHANNELS = 8
"""Their number is padded to a multiple of it; for the three of a picture no engine takes the kernel."""


@dataclass(frozen=True)
class Parts:
    """The products inside kernels; arrays over them."""

    owner: Ints  # the kernel
    kind: Ints
    taps: Ints
    depthwise_s: Floats  # multiply-adds of a depthwise product at the peak rate of the CUDA cores
    results_s: Floats  # its results at the same rate
    vector_s: Floats  # the tiles of a product of few rows, at the same rate on the busiest SM

    @property
    def tiled(self) -> Mask:
        """Those that kernels compute tile by tile."""
        found: Mask = (self.kind == DIRECT) | (self.kind == GEMM)
        return found


@dataclass(frozen=True)
class Tiles:
    """What each tactic makes of each part; arrays of (parts, tactics)."""

    tactic: Ints  # index into the candidates
    possible: Mask
    winograd: Mask
    round_s: Floats  # what a step of K takes an SM, over the whole tile, at the peak rate
    rounds: Floats  # tiles that the busiest SM computes one after another
    depth: Floats  # K, padded
    edge: Floats  # (1/Mt + 1/Nt) in units of a tile of 128 x 128
    beside_s: Floats  # partial sums of a split K through memory, waits for operands that nothing else fills


@dataclass(frozen=True)
class Features:
    """Arrays over kernels, with their products and the tactics of those."""

    family: Ints
    bytes: Floats
    copied_bytes: Floats  # that cross the memory before or after the products, not beside them
    elementwise_s: Floats  # at half the peak rate of the CUDA cores; none in an epilogue or a pooling
    pool_s: Floats  # what a pooling reads, window by window, at the same rate
    parts: Parts
    tiles: Tiles
    bytes_per_s: float  # peak of the memory
    largest_share: float  # of that peak, which any kernel can have: 1, or less where a sustained rate was measured
    launch_scale: float  # cycles of a launch against those at 1 GHz
    steps: Floats  # launches that wait for one another

    def __len__(self) -> int:
        return len(self.family)


class _Part(NamedTuple):
    owner: int
    kind: int
    served: int
    contraction: Contraction


def features_of(
    queries: Sequence[KernelQuery], device: DeviceProfile, precision: NumericKind, candidates: Candidates
) -> Features:
    """The features of kernels that all compute in one precision."""
    parts = [part for at, query in enumerate(queries) for part in _parts(at, query)]
    family = np.array([_family(query) for query in queries], np.int64)
    cuda = _cuda_flops_per_s(device, precision)
    elementwise_s = np.array([query.work.elementwise_ops for query in queries], float) * 2.0 / cuda
    bandwidth = device.dram_peak_bytes_per_s or np.inf
    return Features(
        family=family,
        bytes=np.array([query.work.bytes for query in queries], float),
        copied_bytes=np.array([_copied_bytes(query) for query in queries], float),
        elementwise_s=np.where((family <= DEPTHWISE) | (family == POOL), 0.0, elementwise_s),
        pool_s=np.where(family == POOL, elementwise_s, 0.0),
        bytes_per_s=bandwidth,
        largest_share=_largest_share(device),
        launch_scale=1000.0 / device.gpu_clock_mhz,
        steps=np.array([query.steps for query in queries], float),
        parts=_parts_of(parts, cuda, device.sm_count),
        tiles=_tiles_of(parts, device, precision, candidates, bandwidth),
    )


def _cuda_flops_per_s(device: DeviceProfile, precision: NumericKind) -> float:
    """The peak of what runs on CUDA cores and is no tiled product. INT8 has no rows of its own and takes the parameters
    of FP16, so it takes FP16's rate too where that is the larger one: of two types that it may use TensorRT would not
    choose the slower one."""
    types = {"f16": ("f16",), "i8": ("f16", "f32")}.get(precision, ("f32",))
    rates = [device.peak_flops_per_s(each, "cuda") for each in types]
    return max((rate for rate in rates if rate), default=np.inf)


def _largest_share(device: DeviceProfile) -> float:
    peak, sustained = device.dram_peak_bytes_per_s, device.dram_sustained_bytes_per_s
    return min(sustained / peak, 1.0) if peak and sustained else 1.0


def _family(query: KernelQuery) -> int:
    if not query.contractions:
        return _FAMILIES.get(query.kind, OTHER)
    return DEPTHWISE if all(map(_is_depthwise, query.contractions)) else CONTRACTION


def _copied_bytes(query: KernelQuery) -> float:
    return _COPIES * query.work.bytes if any(map(_is_overpadded, query.contractions)) else 0.0


def _is_overpadded(contraction: Contraction) -> bool:
    """Whether both ends of an axis together have two windows of padding or more."""
    if contraction.kind != "conv":
        return False
    sizes = zip(contraction.input_dims[2:], contraction.output_dims[2:], contraction.window, contraction.strides)
    return any((output - 1) * stride + window - size >= 2 * window for size, output, window, stride in sizes)


def _is_depthwise(contraction: Contraction) -> bool:
    return contraction.groups > 1 and contraction.n == 1


def _parts(at: int, query: KernelQuery) -> Iterable[_Part]:
    """One part a product. Siblings that read one tensor are one product with the channels of all."""
    if len(query.contractions) == 1:
        yield _part(at, query.contractions[0])
        return
    merged: dict[Contraction, int] = {}
    for contraction in query.contractions:
        key = replace(contraction, n=0, output_dims=())
        merged[key] = merged.get(key, 0) + contraction.n
    for key, n in merged.items():
        first = next(c for c in query.contractions if replace(c, n=0, output_dims=()) == key)
        yield _part(at, replace(first, n=n)) if n != first.n else _part(at, first)


def _part(at: int, contraction: Contraction) -> _Part:
    kind: str = "gemm" if contraction.kind == "wgrad" else contraction.kind  # neither has a window to gather
    kind = "group-conv" if kind == "conv" and contraction.groups > 1 else kind
    return _Part(at, _kind(contraction), SERVED.index(kind), _packed(contraction))


def _packed(contraction: Contraction) -> Contraction:
    """Narrow groups side by side, so that they fill the columns of a tile: one product over the channels of all of
    them, with zeros between. Inferred from names of kernels, in which `g8` counts such groups."""
    together = min(_GROUP_COLUMNS // max(contraction.n, 1), contraction.groups)
    if together < 2 or _is_depthwise(contraction) or contraction.kind not in ("conv", "deconv"):
        return contraction
    groups = -(-contraction.groups // together)
    return replace(contraction, groups=groups, n=contraction.n * together, k=contraction.k * together)


def _kind(contraction: Contraction) -> int:
    if _is_depthwise(contraction):
        return ONE_CHANNEL
    if contraction.m <= _ROWS_OF_A_VECTOR:
        return VECTOR
    single = max(contraction.window, default=1) == 1
    return GEMM if single else DIRECT


def _parts_of(parts: Sequence[_Part], cuda_flops_per_s: float, sm_count: int) -> Parts:
    kind = np.array([part.kind for part in parts], np.int64)
    alone = kind == ONE_CHANNEL
    macs = np.array([part.contraction.macs for part in parts], float)
    results = np.array([part.contraction.macs / max(part.contraction.k, 1) for part in parts], float)
    of_vectors = np.array([_macs_of_vectors(part.contraction, sm_count) for part in parts], float)
    return Parts(
        owner=np.array([part.owner for part in parts], np.int64),
        kind=kind,
        taps=np.array([math.prod(part.contraction.window) for part in parts], np.int64),
        depthwise_s=np.where(alone, macs * 2.0 / cuda_flops_per_s, 0.0),
        results_s=np.where(alone, results * 2.0 / cuda_flops_per_s, 0.0),
        vector_s=np.where(kind == VECTOR, of_vectors * 2.0 / cuda_flops_per_s, 0.0),
    )


def _macs_of_vectors(contraction: Contraction, sm_count: int) -> int:
    """Multiply-adds of a product of few rows, had every SM as many tiles as the busiest one."""
    tiles = contraction.batch * contraction.groups * -(-contraction.n // _VECTOR_TILE)
    return -(-tiles // sm_count) * sm_count * _VECTOR_TILE**2 * contraction.k


def _tiles_of(
    parts: Sequence[_Part], device: DeviceProfile, precision: NumericKind, candidates: Candidates, bandwidth: float
) -> Tiles:
    catalogue, columns = candidates.catalogue, Columns.of([part.contraction for part in parts])
    terms = tile_terms(columns, catalogue, limits_of(device), precision)
    winograd = np.broadcast_to(catalogue.winograd > 0, terms.tiles.shape)
    served = candidates.serves[[part.served for part in parts]].reshape(winograd.shape)
    wide = (columns.channels >= _WINOGRAD_LEAST_CHANNELS) & (columns.products == 1)
    area = np.where(winograd, _WINOGRAD_AREA, catalogue.tile_m * catalogue.tile_n)
    rate = candidates.macs_per_s_per_sm
    return Tiles(
        tactic=np.broadcast_to(np.arange(len(catalogue)), winograd.shape),
        possible=terms.eligible & served & (rate > 0) & (~winograd | wide),
        winograd=winograd,
        round_s=np.broadcast_to(area / np.where(rate > 0, rate, 1.0), winograd.shape),
        rounds=np.where(winograd, _winograd_rounds(columns, device.sm_count), terms.busy_rounds).astype(float),
        depth=np.where(winograd, _winograd_depth(columns), terms.steps * catalogue.tile_k).astype(float),
        edge=np.broadcast_to((1 / catalogue.tile_m + 1 / catalogue.tile_n) * 64, winograd.shape),
        beside_s=_beside_s(terms, catalogue, device, bandwidth),
    )


def _beside_s(terms: TileTerms, catalogue: Catalogue, device: DeviceProfile, bandwidth: float) -> Floats:
    """Of a block's waits those of one block count: several on an SM fill each other's."""
    waits_s = terms.steps * catalogue.step_clocks / (device.gpu_clock_mhz * 1e6)
    beside: Floats = terms.split_bytes / bandwidth + waits_s
    return beside


def _winograd_rounds(columns: Columns, sm_count: int) -> Ints:
    blocks = columns.images * _ceil(columns.rows, _WINOGRAD_ROWS) * _ceil(columns.cols, _WINOGRAD_COLUMNS)
    return _ceil(blocks * _ceil(columns.n, _WINOGRAD_CHANNELS), sm_count)


def _winograd_depth(columns: Columns) -> Ints:
    return _ceil(columns.channels, 8) * 8 * _WINOGRAD_TAPS


def _ceil(value: Ints, step: int) -> Ints:
    return -(-value // step)


def pruned(features: Features, chosen: Sequence[Ints]) -> Features:
    """Only tactics that are the fastest for some parameters: `chosen` has, for each of them, one tactic a part."""
    if not len(features.parts.owner):
        return features
    wanted = np.sort(np.stack(chosen, axis=1), axis=1)
    repeats = np.concatenate([np.zeros((len(wanted), 1), bool), np.diff(wanted, axis=1) == 0], axis=1)
    taken = {f.name: np.take_along_axis(getattr(features.tiles, f.name), wanted, axis=1) for f in fields(Tiles)}
    tiles = Tiles(**taken)
    return replace(features, tiles=replace(tiles, possible=tiles.possible & ~repeats))

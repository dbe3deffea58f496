"""Names of real kernels, read: which tile, stages, warps and variant a tactic of an engine's log has.

    sm80_xmma_fprop_implicit_gemm_interleaved_i8i8_…_tilesize64x96x64_stage3_warpsize2x2x1_g1_tensor16x8x32_t1r3s3
    ampere_int8x4_icudnn_int8x4_128x64_relu_xregs_small_c32_nn_v1

The first grammar states everything; the second states the tile (pixels x output channels) and leaves the rest to its
family: eight deep in 32-bit lanes, double buffered.
"""

from __future__ import annotations

import re
from math import prod

from .catalogue import Kernel

_XMMA = re.compile(r"_tilesize(\d+)x(\d+)x(\d+)_stage(\d+)_warpsize(\d+)x(\d+)x(\d+)")
_CUDNN = re.compile(r"_(\d+)x(\d+)(?:_\w+)?_(?:nn|nt|tn|tt)(?:_v\d+)?$")

VARIANTS = ("t1r3s3", "t1r1s1", "simple", "indexed", "xregs", "interior", "small", "medium", "large", "c32_nn",
            "i8f16", "i8f32", "fp32_icudnn")  # fmt: skip
"""Parts of a name that tell twins of one tile apart: specialised for a window (t1r3s3, t1r1s1), for a size of operands,
or by what they write."""

_MOST_WARPS_FROM = 128 * 128  # results of a tile from which a block of that family has eight warps
_LANES = {"int8x4": 4, "fp16x2": 2}
_DEPTH_OF_CUDNN = 8
_DP4A_DEPTH = 16


def kernel_named(name: str) -> Kernel | None:
    """The kernel of a name; None where the name does not tell its tile."""
    stated = _XMMA.search(name)
    if stated:
        m, n, k, stages, *warps = map(int, stated.groups())
        return _kernel(name, (m, n, k), stages, prod(warps), tensor="tensor" in name)
    short = _CUDNN.search(name)
    if not short:
        return None
    m, n = map(int, short.groups())
    depth = _DP4A_DEPTH if "int8x4" in name else _DEPTH_OF_CUDNN
    return _kernel(name, (m, n, depth), 2, 8 if m * n >= _MOST_WARPS_FROM else 4, tensor="h16816" in name)


def variants_of(name: str) -> tuple[bool, ...]:
    """Which of VARIANTS a name has, and last whether its products are made by DP4A on CUDA cores."""
    return (*(variant in name for variant in VARIANTS), "int8x4" in name)


def _kernel(name: str, tile: tuple[int, int, int], stages: int, warps: int, *, tensor: bool) -> Kernel:
    return Kernel(
        name=name,
        family="winograd" if "winograd" in name else "implicit_gemm",
        serves=("conv",),
        precision=_precision(name),
        unit="tensor" if tensor else "cuda",
        architectures=(),
        layout=_layout(name),
        source="engine log",
        tile_m=tile[0],
        tile_n=tile[1],
        tile_k=tile[2],
        stages=stages,
        warps=warps,
        align=_align(name),
        winograd=2 if "winograd" in name else 0,
    )


def _precision(name: str) -> str:
    if "i8" in name or "int8" in name:
        return "i8"
    if "tf32" in name:
        return "tf32"
    return "f16" if any(word in name for word in ("f16f16", "h884", "h1688", "h16816", "fp16x2")) else "f32"


def _layout(name: str) -> str:
    if "vect_c_32" in name:
        return "chw32"
    if "int8x4" in name:
        return "chw4"
    return "hwc8" if "nhwc" in name else "linear"


def _align(name: str) -> int:
    """Channels that a kernel reads together."""
    return {"chw32": 32, "chw4": 4, "hwc8": 8}.get(_layout(name), 1)

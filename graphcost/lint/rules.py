"""The rules, in the order in which findings of one severity are shown and documented."""

from __future__ import annotations

from .alignment import TileEdge, UnalignedChannels
from .dimensions import DataDependentSize, OpenDimension, UntypedResult
from .kernels import LaunchBound, SeparateActivation
from .layout import CopyingReshape, InputTranspose, PadBeforePool, RedundantTranspose
from .operators import UnreadResult, UnsupportedOperator
from .precision import Fp32Island, WideTypes
from .quantization import (
    AsymmetricQuantization,
    DanglingQuantize,
    FloatResidual,
    HalfQuantized,
    MissingInt8,
    UnfusedDequantize,
    UnquantizedContraction,
)
from .rule import Rule

RULES: tuple[Rule, ...] = (
    UnsupportedOperator(),
    AsymmetricQuantization(),
    MissingInt8(),
    UntypedResult(),
    DataDependentSize(),
    OpenDimension(),
    UnquantizedContraction(),
    HalfQuantized(),
    FloatResidual(),
    UnfusedDequantize(),
    DanglingQuantize(),
    Fp32Island(),
    WideTypes(),
    UnalignedChannels(),
    TileEdge(),
    SeparateActivation(),
    LaunchBound(),
    CopyingReshape(),
    RedundantTranspose(),
    InputTranspose(),
    PadBeforePool(),
    UnreadResult(),
)

"""The work of every operator that we know: a formula each, in one table, by family.

Conventions
- A multiply-add is one `mac` where it belongs to a contraction; two elementwise operations elsewhere.
- An elementwise operation is one arithmetic operation, comparison, choice, conversion, or evaluation of an elementary
  function (exponential, logarithm, root, power, erf, trigonometric, hyperbolic) on one element. An operator that the
  ONNX standard defines by a formula counts the steps of that formula.
- Bytes are those of the border, unless a formula says that fewer are touched: a view touches none, a gather only its
  rows, and what the host reads to set up the kernel is no traffic of the kernel.
- A dimension that only the data decides counts at its bound; without one the work is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.operators import CountWork

from .activation import ACTIVATION
from .attention import ATTENTION
from .classic import CLASSIC
from .contraction import CONTRACTION
from .contrib import CONTRIB
from .contrib_attention import CONTRIB_ATTENTION
from .einsum import EINSUM
from .elementwise import ELEMENTWISE
from .movement import MOVEMENT
from .node import NodeWork, Work, graph_work, node_work, work_table
from .normalization import NORMALIZATION
from .plugins import PLUGINS
from .pooling import POOLING
from .quantization import QUANTIZATION
from .recurrent import RECURRENT
from .reduction import REDUCTION
from .signal import SIGNAL
from .strings import STRINGS
from .training import TRAINING
from .trees import TREES
from .vision import VISION

__all__ = ["WORK", "NodeWork", "Work", "graph_work", "node_work", "work_table"]

WORK: Mapping[str, CountWork] = {
    **CONTRACTION,
    **EINSUM,
    **ATTENTION,
    **RECURRENT,
    **ELEMENTWISE,
    **ACTIVATION,
    **QUANTIZATION,
    **REDUCTION,
    **NORMALIZATION,
    **POOLING,
    **VISION,
    **SIGNAL,
    **MOVEMENT,
    **TRAINING,
    **CLASSIC,
    **TREES,
    **STRINGS,
    **CONTRIB,
    **PLUGINS,
    **CONTRIB_ATTENTION,
}
"""By operator name; no name is in two families."""

"""Recurrent networks: at each step and direction, both weight matrices meet their vectors."""

from __future__ import annotations

import math
from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import CountWork, Effort

from .quantization import QUANTIZE
from .sizes import has_operand, operand_shape

_SIGMOID = 4


def recurrent(per_unit: int, gates: int, peepholes: int | None = None) -> CountWork:
    """W [directions, gates·hidden, input] and R [directions, gates·hidden, hidden] at each step of each sequence, as
    multiply-adds; {per_unit} for each hidden unit and step, 2 more for each gate ({gates}) where there is a bias, 6 for
    peepholes.

    Not counted: other activations than the default ones, clipping, steps that a shorter sequence leaves out.

    `peepholes` is the slot of LSTM's P: three products and three sums.
    """

    def count(node: Node) -> Effort:
        steps = math.prod(operand_shape(node)[:2])
        weights = math.prod(operand_shape(node, 1)) + math.prod(operand_shape(node, 2))
        directions, rows, _ = operand_shape(node, 1)
        each = per_unit + 2 * gates * has_operand(node, 3) + 6 * has_operand(node, peepholes)
        return Effort(steps * weights, steps * directions * (rows // gates) * each)

    return count


def dynamically_quantized_lstm(node: Node) -> Effort:
    """W [directions, input, 4·hidden] and R [directions, hidden, 4·hidden] at each step of each sequence, in integers:
    input and state are quantised before (least, largest), the products scaled after."""
    steps = math.prod(operand_shape(node)[:2])
    directions, inputs, rows = operand_shape(node, 1)
    hidden = rows // 4
    each = _LSTM + 8 * has_operand(node, 3) + 6 * has_operand(node, 7) + 2 * 4
    quantized = (inputs + hidden) * (2 + QUANTIZE)
    return Effort(steps * directions * rows * (inputs + hidden), steps * directions * (hidden * each + quantized))


_RNN = 1 + 1
"""Input part + recurrent part; tanh."""
_GRU = 3 + 2 * _SIGMOID + 1 + 1 + 4
"""Three sums of both parts; z, r; tanh; r · state; (1 - z) · candidate + z · state."""
_LSTM = 4 + 3 * _SIGMOID + 2 + 3 + 1
"""Four sums of both parts; i, o, f; two tanh; f · cell + i · candidate; o · tanh(cell)."""

RECURRENT: Mapping[str, CountWork] = {
    "onnx.RNN": recurrent(_RNN, gates=1),
    "onnx.GRU": recurrent(_GRU, gates=3),
    "onnx.LSTM": recurrent(_LSTM, gates=4, peepholes=7),
    "com.microsoft.DynamicQuantizeLSTM": dynamically_quantized_lstm,
}

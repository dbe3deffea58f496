"""Recurrent layers: RNN, GRU, LSTM and their quantised form."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import Dim, Type

from .reading import Dims, agree, dims, give, integer, ranked, typed, word


def recurrent(node: Node, known: Known) -> list[Type]:
    """Y, the last hidden state and (LSTM) the last cell state.

    Layout 0 is [positions, directions, batch, hidden] and [directions, batch, hidden]; layout 1 puts the batch first.
    """
    data, hidden = ranked(node, 0, 3), _hidden(node)
    if data is None or hidden is None:
        return give(node, *(typed(node, 0, None) for _ in range(3)))
    directions = 2 if word(node, "direction", "forward") == "bidirectional" else 1
    _check_directions(node, directions)
    every: Dims = (data[0], directions, data[1], hidden)
    state: Dims = (directions, data[1], hidden)
    if integer(node, "layout"):
        every, state = (*data[:2], directions, hidden), (data[0], directions, hidden)
    return give(node, typed(node, 0, every), typed(node, 0, state), typed(node, 0, state))


def _hidden(node: Node) -> Dim | None:
    """Attribute hidden_size, else the last dimension of the recurrence weights [directions, gates * hidden, hidden]."""
    if size := integer(node, "hidden_size"):
        return size
    weights = ranked(node, 2, 3)
    return None if weights is None else weights[2]


def _check_directions(node: Node, directions: int) -> None:
    weights = dims(node, 1)
    if weights:
        agree(node, weights[0], directions, "directions of the weights and of the node")


SHAPES: Mapping[str, InferTypes] = {
    "onnx.GRU": recurrent,
    "onnx.LSTM": recurrent,
    "onnx.RNN": recurrent,
    "com.microsoft.AttnLSTM": recurrent,
    "com.microsoft.DynamicQuantizeLSTM": recurrent,
}

"""Single operators as columns: what the physics and the features of a convolution are computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from graphcost.cost import KernelQuery

from ..tiles import Columns, countable

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class OperatorTable:
    """Convolutions of one precision; arrays of shape (operators, 1)."""

    columns: Columns
    depthwise: Mask
    added: Mask  # whether the epilogue adds a second tensor of the result's size
    read_bytes: Floats
    written_bytes: Floats

    def __len__(self) -> int:
        return len(self.depthwise)

    def rows(self, chosen: slice | NDArray[np.int64]) -> OperatorTable:
        """The table of some of the operators."""
        columns = Columns(*(getattr(self.columns, f.name)[chosen] for f in fields(Columns)))
        rest = (getattr(self, f.name)[chosen] for f in fields(self) if f.name != "columns")
        return OperatorTable(columns, *rest)


def is_convolution(query: KernelQuery) -> bool:
    """Whether a query is one convolution, dense or depthwise, with all its sizes known."""
    if query.kind not in ("conv", "depthwise") or len(query.contractions) != 1 or not query.work_known:
        return False
    return query.contractions[0].kind == "conv" and countable(query.contractions[0])


def table_of(queries: Sequence[KernelQuery]) -> OperatorTable:
    """The table of queries that are convolutions."""
    contractions = [query.contractions[0] for query in queries]
    return OperatorTable(
        columns=Columns.of(contractions),
        depthwise=_column([query.kind == "depthwise" for query in queries]).astype(np.bool_),
        added=_column(["Add" in query.epilogue for query in queries]).astype(np.bool_),
        read_bytes=_column([query.work.bytes_read for query in queries]),
        written_bytes=_column([query.work.bytes_written for query in queries]),
    )


def _column(numbers: Sequence[float]) -> Floats:
    return np.array(numbers, np.float64).reshape(-1, 1)

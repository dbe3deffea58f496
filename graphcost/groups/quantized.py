"""The same formulas in quantized networks, where values on the way are rounded: Q/DQ between the operations."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from graphcost.rewrite import Operators, Pattern, either
from graphcost.rewrite.pattern import Call, Either, Result

QUANTIZERS = frozenset({"onnx.QuantizeLinear", "onnx.DequantizeLinear"})


def requantized(pattern: Pattern) -> Pattern:
    """The expression with QuantizeLinear and DequantizeLinear allowed behind each of its operations but the last."""
    return _Copier().copy(pattern)


@dataclass
class _Copier:
    """Copies an expression; what stands in it twice stands in the copy twice."""

    patterns: dict[Pattern, Pattern] = field(default_factory=dict)
    calls: dict[Call, Call] = field(default_factory=dict)

    def copy(self, pattern: Pattern) -> Pattern:
        if pattern not in self.patterns:
            self.patterns[pattern] = self._copy(pattern)
        return self.patterns[pattern]

    def _copy(self, pattern: Pattern) -> Pattern:
        if isinstance(pattern, Result):
            return replace(pattern, call=self._call(pattern.call))
        if isinstance(pattern, Either):
            return Either(tuple(self.copy(option) for option in pattern.options))
        return pattern

    def _call(self, call: Call) -> Call:
        if call not in self.calls:
            self.calls[call] = replace(call, operands=tuple(self._operand(operand) for operand in call.operands))
        return self.calls[call]

    def _operand(self, operand: Pattern) -> Pattern:
        """What an operation reads: as it is, or quantized and back."""
        read = self.copy(operand)
        if not any(isinstance(part, Result) for part in (operand, *operand.parts())):
            return read
        op = Operators()
        return either(op.DequantizeLinear(op.QuantizeLinear(read, ...), ...), read)

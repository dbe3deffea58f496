"""Operators that compute on each element, with broadcasting."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphcost.ir import Value

from ..tape import Step


def unary(temporaries: int = 0) -> Callable[[Step], None]:
    """One kernel, one tensor of the operand's size; `temporaries` more where PyTorch's formula has several steps."""

    def rule(step: Step) -> None:
        if step.needs[0]:
            step.new(0, temporaries=temporaries)

    return rule


def add(step: Step) -> None:
    """Both operands get the gradient itself."""
    for slot in step.needed():
        step.pass_on(slot)


def subtract(step: Step) -> None:
    """The second operand gets the negated gradient."""
    if step.needs[0]:
        step.pass_on(0)
    if step.needs[1]:
        _full(step, 1)


def multiply(step: Step) -> None:
    """A product with the other operand for each; then what was broadcast is summed."""
    for slot, gradient in [(slot, _product(step, slot)) for slot in step.needed()]:
        step.pass_on(slot, gradient)


def _full(step: Step, slot: int) -> None:
    step.pass_on(slot, _product(step, slot))


def _product(step: Step, slot: int, temporaries: int = 0) -> Value:
    """A tensor of the result's size."""
    return step.new(slot, kind=step.node.results[0].type, temporaries=temporaries, give=False)


def divide(step: Step) -> None:
    """dY / b, and -dY · (a / b) / b, for which PyTorch makes two more tensors."""
    made = [(slot, _product(step, slot, temporaries=2 * slot)) for slot in step.needed()]
    for slot, gradient in made:
        step.pass_on(slot, gradient)


def chosen(step: Step) -> None:
    """Where, Max, Min: the gradient where the operand was chosen, else zero."""
    made = [(slot, _product(step, slot)) for slot in step.needed()]
    for slot, gradient in made:
        step.pass_on(slot, gradient)


def power(step: Step) -> None:
    """dY · n · xⁿ⁻¹: two tensors more while it is computed."""
    if step.needs[0]:
        step.new(0, temporaries=2)


def prelu(step: Step) -> None:
    """The slope's gradient is made in full size, then summed."""
    multiply(step)


def dropout(step: Step) -> None:
    """dY · mask / (1 - p); without a mask the gradient itself."""
    if step.saved:
        step.new(0)
    else:
        step.pass_on(0)


def total(step: Step) -> None:
    """Sum of any number of operands."""
    add(step)


def cast(step: Step) -> None:
    """Converted back."""
    step.new(0)


_UNARY = (
    "Relu Sigmoid Tanh LeakyRelu Elu Selu Celu HardSigmoid HardSwish Softplus Mish Gelu Swish Clip Exp Neg "
    "ThresholdedRelu Softmax LogSoftmax LRN"
)
_COMPOUND = "Log Sqrt Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh Abs Erf Reciprocal Softsign"

ELEMENTWISE: Mapping[str, Callable[[Step], None]] = {
    **{f"onnx.{name}": unary() for name in _UNARY.split()},
    **{f"onnx.{name}": unary(temporaries=1) for name in _COMPOUND.split()},
    **{f"group.{name}": unary() for name in ("gelu", "silu", "swish", "mish", "hard_swish", "hard_sigmoid", "softmax")},
    "onnx.Add": add,
    "onnx.Sub": subtract,
    "onnx.Mul": multiply,
    "onnx.Div": divide,
    "onnx.Sum": total,
    "onnx.Mean": total,
    "onnx.Pow": power,
    "onnx.Where": chosen,
    "onnx.Max": chosen,
    "onnx.Min": chosen,
    "onnx.PRelu": prelu,
    "onnx.Dropout": dropout,
    "onnx.Cast": cast,
    "onnx.CastLike": cast,
}

"""The optimizer's step, as PyTorch's foreach implementations run it: one node over all parameters.

What each keeps between steps and holds while it runs: torch/optim/{sgd,adam}.py, `_multi_tensor_*`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphcost.ir import Graph, Node, Value
from graphcost.types import Attr, TensorType

OPTIMIZER = "optimizer"


@dataclass(frozen=True)
class Recipe:
    """`states`: tensors of a parameter's size that stay; `counters`: scalars that stay, four bytes for each parameter;
    `temporaries`: tensors of all parameters' size while the step runs; `kernels`: passes over all parameters."""

    states: tuple[str, ...]
    counters: bool
    temporaries: int
    kernels: int


RECIPES: Mapping[str, Recipe] = {
    "sgd": Recipe((), False, 0, 1),
    "sgd-momentum": Recipe(("momentum_buffer",), False, 0, 3),
    "adam": Recipe(("exp_avg", "exp_avg_sq"), True, 1, 10),
    "adamw": Recipe(("exp_avg", "exp_avg_sq"), True, 1, 11),
}


def append_step(graph: Graph, optimizer: str, gradients: Mapping[Value, Value]) -> None:
    """Append the node that reads parameters, their gradients and states, and writes parameters and states in place."""
    if not gradients:
        return
    recipe = RECIPES[optimizer]
    states = [graph.add_weight(state) for parameter in gradients for state in _states(parameter, recipe)]
    results = [Value(f"{p.name}.temporary{i}", p.type) for p in gradients for i in range(recipe.temporaries)]
    attrs: dict[str, Attr] = {"phase": OPTIMIZER, "parameters": len(gradients), "kernels": recipe.kernels}
    operands: Sequence[Value] = [*gradients, *gradients.values(), *states]
    graph.append(Node(f"optim.{optimizer.replace('-', '_')}", operands, results, attrs, name="optimizer", origin=()))


def _states(parameter: Value, recipe: Recipe) -> list[Value]:
    found = [Value(f"{parameter.name}.{name}", parameter.type) for name in recipe.states]
    if recipe.counters:
        found.append(Value(f"{parameter.name}.step", TensorType("f32", ())))
    return found

"""What a training step is made with, as a user gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, TypeAlias, get_args

from graphcost.errors import UnknownName, UsageError
from graphcost.pipeline import Pass, Stage

Optimizer: TypeAlias = Literal["sgd", "sgd-momentum", "adam", "adamw"]
OPTIMIZERS: tuple[Optimizer, ...] = get_args(Optimizer)

Loss: TypeAlias = Literal["cross-entropy", "mse"]
LOSSES: tuple[Loss, ...] = get_args(Loss)

AMP_TYPES = ("fp16", "bf16")


@dataclass(frozen=True)
class TrainingOptions:
    """Options of the passes of the stage `training`: each pass takes the fields that it has under the same name.

    `checkpoint` names ONNX nodes (patterns allowed) at whose results segments end, or is ("sqrt",): about every √n-th
    place where one tensor holds all. `freeze` are patterns of parameter names. `accumulate` counts the backward passes
    before one optimizer step. With `written_out` an operator that the exporter wrote out is counted as it stands.
    """

    optimizer: str = "sgd-momentum"
    loss: str = "cross-entropy"
    amp: str = ""
    checkpoint: tuple[str, ...] = ()
    freeze: tuple[str, ...] = ()
    accumulate: int = 1
    written_out: bool = False

    def __post_init__(self) -> None:
        for kind, given, known in (("optimizer", self.optimizer, OPTIMIZERS), ("loss", self.loss, LOSSES)):
            if given not in known:
                raise UnknownName(kind, given, known)
        if self.amp and self.amp not in AMP_TYPES:
            raise UnknownName("type for --amp", self.amp, AMP_TYPES)
        if self.accumulate < 1:
            raise UsageError(f"--accumulate {self.accumulate}: 1 or more backward passes make a step")


def configure(stages: Sequence[Stage], options: TrainingOptions) -> tuple[Stage, ...]:
    """The stages with what the options say put into the passes that have a field of that name."""
    given = {f.name: getattr(options, f.name) for f in fields(options) if getattr(options, f.name) != f.default}
    return tuple(replace(stage, passes=tuple(_configured(step, given) for step in stage.passes)) for stage in stages)


def _configured(step: Pass, given: dict[str, object]) -> Pass:
    own = {f.name for f in fields(step)}
    taken = {name: value for name, value in given.items() if name in own}
    return replace(step, **taken) if taken else step

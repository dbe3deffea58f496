"""What a TensorRT engine says of itself: its layers, as trtexec writes them, and how long each took."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineTensor:
    """What a layer reads or writes. `form` is the text of "Format/Datatype"; empty where the file does not say."""

    name: str
    dims: tuple[int, ...]
    form: str


@dataclass(frozen=True, slots=True)
class EngineLayer:
    """A layer under TensorRT's name. A file written without detailed verbosity has names alone; the rest is empty.

    `onnx` are the nodes that its metadata name. `time_ms` is the median over the runs of a profile (the average where
    a profile has no median), the profiler's own cost included; None where no profile has the layer.
    """

    name: str
    layer_type: str = ""
    inputs: tuple[EngineTensor, ...] = ()
    outputs: tuple[EngineTensor, ...] = ()
    tactic: str = ""
    onnx: tuple[str, ...] = ()
    time_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Engine:
    """The layers in the order of the engine. `warnings` say where its files do not fit each other."""

    layers: tuple[EngineLayer, ...]
    has_times: bool
    warnings: tuple[str, ...] = ()

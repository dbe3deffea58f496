"""Options of trtexec that say how an engine is built or run, not what it costs: a line copied from there works."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphcost.errors import UsageError

from .failures import tell

_OF_TRTEXEC = frozenset({
    "allowGPUFallback", "avgRuns", "builderOptimizationLevel", "buildOnly", "device", "dumpLayerInfo", "dumpOutput",
    "dumpProfile", "dumpRefit", "duration", "explicitBatch", "exportOutput", "exportTimes", "exposeDMA", "idleTime",
    "infStreams", "iterations", "maxShapes", "memPoolSize", "minShapes", "minTiming", "noBuilderCache",
    "noDataTransfers", "percentile", "profilingVerbosity", "saveEngine", "separateProfileRun", "skipInference",
    "sleepTime", "streams", "threads", "timingCacheFile", "useCudaGraph", "useManagedMemory", "useSpinWait",
    "versionCompatible", "warmUp", "workspace",
})  # fmt: skip
_NOT_SIMULATED = {"useDLACore": "the DLA", "sparsity": "structured sparsity"}
_OPTION = re.compile(r"--(?P<name>[A-Za-z]+)(?:=(?P<value>.*))?", re.DOTALL)


def without_trtexec(arguments: Sequence[str]) -> list[str]:
    """The arguments without options of trtexec that change nothing here, where the line is one of trtexec (its model is
    given as --onnx=…); standard error says which. A device is one of ours unless it is a number.
    UsageError for what would change the cost and is not simulated."""
    _refuse_not_simulated(arguments)
    if not any(argument.startswith("--onnx") for argument in arguments):
        return list(arguments)
    left_out = [argument for argument in arguments if _is_left_out(argument)]
    if left_out:
        tell(f"left out, for they change nothing in a prediction: {' '.join(left_out)}")
    return [argument for argument in arguments if not _is_left_out(argument)]


def _refuse_not_simulated(arguments: Sequence[str]) -> None:
    for argument in arguments:
        match = _OPTION.fullmatch(argument)
        if match and match["name"] in _NOT_SIMULATED and match["value"] != "disable":
            raise UsageError(f"{argument}: {_NOT_SIMULATED[match['name']]} is not simulated (docs/tensorrt.md)")


def _is_left_out(argument: str) -> bool:
    match = _OPTION.fullmatch(argument)
    if match is None or match["name"] not in _OF_TRTEXEC:
        return False
    return match["name"] != "device" or (match["value"] or "").isdigit()

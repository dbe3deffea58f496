"""What a model is costed for: device x runtime x precision x mode. The first line of a .gcir file spells it."""

from __future__ import annotations

from dataclasses import dataclass

from graphcost.device import NUMERIC_TYPES, DeviceProfile, NumericType, load_device
from graphcost.errors import UsageError
from graphcost.runtime import Mode, Precision, Runtime, load_runtime, parse_mode, parse_precision

__all__ = ["Mode", "Precision", "Target", "make_target", "parse_precision", "parse_target_header"]

_NO_TF32 = "noTF32"
_FORM = "'device@mode runtime precision inference|training', with '-' for no device"

# What a precision allows beside FP32 (and TF32, which is allowed wherever the hardware has it, unless forbidden).
_ADDS: dict[Precision, frozenset[NumericType]] = {
    "fp32": frozenset(),
    "tf32": frozenset(),
    "fp16": frozenset({"f16"}),
    "int8": frozenset({"i8"}),
    "best": frozenset({"f16", "i8"}),
    "as-exported": frozenset({"f16", "i8"}),
}
# What a precision asks for by name: to lack it deserves a word.
_ASKS: dict[Precision, tuple[NumericType, ...]] = {"tf32": ("tf32",), "fp16": ("f16",), "int8": ("i8",)}
_SPELLED: dict[NumericType, str] = {"f32": "FP32", "tf32": "TF32", "f16": "FP16", "i8": "INT8"}


@dataclass(frozen=True)
class Target:
    """Frozen, and all that a pass may know about the outside. Without a device only work and memory can be told."""

    device: DeviceProfile | None
    runtime: Runtime
    precision: Precision
    mode: Mode = "inference"
    tf32: bool = True  # whether TF32 may stand in for FP32 where the hardware has it

    def header(self) -> str:
        """The target on one line: "nano@MAXN tensorrt-8.2 fp16 inference"."""
        import shlex

        device = "-" if self.device is None else shlex.quote(self.device.spec)
        words = [device, self.runtime.name, self.precision, self.mode]
        return " ".join(words if self.tf32 else [*words, _NO_TF32])

    def allowed(self) -> frozenset[NumericType]:
        """The types a kernel may compute in: what the precision allows and the hardware has; FP32 always."""
        wanted = {"f32", *_ADDS[self.precision], *(("tf32",) if self.tf32 else ())}
        return frozenset(kind for kind in NUMERIC_TYPES if kind in wanted and self._has(kind))

    @property
    def lacking(self) -> tuple[NumericType, ...]:
        """The types that the precision asks for by name and the hardware does not have."""
        return tuple(kind for kind in _ASKS.get(self.precision, ()) if not self._has(kind))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is not quite as asked: a nearest version, a type that the hardware lacks or is slow in."""
        return (*self.runtime.warnings, *self._hardware_warnings())

    def _has(self, kind: NumericType) -> bool:
        return self.device is None or self.device.supports(kind)

    def _hardware_warnings(self) -> list[str]:
        if self.device is None:
            return []
        name = f"{self.device.id} ({self.device.sm})"
        warnings = [f"{name} has no {_SPELLED[kind]}: layers run in {self._instead()}" for kind in self.lacking]
        return warnings + self._slow_fp16(name)

    def _instead(self) -> str:
        return " or ".join(_SPELLED[kind] for kind in NUMERIC_TYPES if kind in self.allowed())

    def _slow_fp16(self, name: str) -> list[str]:
        if self.device is None or "f16" not in self.allowed():
            return []
        fp32, fp16 = self.device.peak_flops_per_s("f32"), self.device.peak_flops_per_s("f16")
        if not fp32 or not fp16 or fp16 >= fp32:
            return []
        return [f"{name} computes FP16 at 1/{fp32 / fp16:.0f} of its FP32 rate"]


def make_target(
    device: str | DeviceProfile | None = None,
    runtime: str | None = None,
    precision: str | None = None,
    mode: str = "inference",
    *,
    no_tf32: bool = False,
) -> Target:
    """A target from what a user types. The runtime is by default the device's TensorRT, or none without a device."""
    profile = load_device(device) if isinstance(device, str) else device
    default = profile.tensorrt_default if profile else None
    chosen = load_runtime(_of_device(runtime or _default_runtime(profile, mode), profile, mode), default)
    asked = chosen.default_precision if precision is None else parse_precision(precision)
    target = Target(profile, chosen, asked, parse_mode(mode), tf32=not no_tf32)
    _refuse_what_runtime_lacks(target)
    return target


def _default_runtime(profile: DeviceProfile | None, mode: str) -> str:
    """Networks are trained in PyTorch; they are run in the device's TensorRT, or in none without a device."""
    if mode == "training":
        return "pytorch"
    return "tensorrt" if profile else "onnx"


def _of_device(runtime: str, profile: DeviceProfile | None, mode: str) -> str:
    """The version of PyTorch that networks are trained with on the device, where its software holds an old one."""
    if (runtime, mode) != ("pytorch", "training") or profile is None or profile.pytorch_default is None:
        return runtime
    return f"pytorch-{profile.pytorch_default}"


def _refuse_what_runtime_lacks(target: Target) -> None:
    runtime = target.runtime
    if target.precision not in runtime.precisions:
        raise UsageError(f"{runtime.name} has no precision {target.precision}; accepted: {_list(runtime.precisions)}")
    if target.mode not in runtime.modes:
        raise UsageError(f"{runtime.name} has no mode {target.mode}; accepted: {_list(runtime.modes)}")
    if target.precision == "tf32" and not target.tf32:
        raise UsageError("precision tf32 and noTF32 exclude each other: give one of them")


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names)


def parse_target_header(text: str) -> Target:
    """The inverse of `Target.header`; UsageError when the line has another form."""
    words = _words(text)
    flags = words[4:]
    if len(words) < 4 or flags not in ([], [_NO_TF32]):
        raise UsageError(f"target {text.strip()!r} is not {_FORM}")
    device, runtime, precision, mode = words[:4]
    return make_target(None if device == "-" else device, runtime, precision, mode, no_tf32=bool(flags))


def _words(text: str) -> list[str]:
    import shlex

    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"target {text.strip()!r} is not {_FORM}: {error}") from error

"""The list of devices, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphcost.device import NUMERIC_TYPES, DeviceEntry, DeviceProfile

from .as_json import dump
from .columns import PLAIN, Column, Screen, fold, lay_out
from .units import UNKNOWN

_NONE = "none"  # the hardware has no such unit; `-` is not known


def render_devices(entries: Sequence[DeviceEntry], screen: Screen = PLAIN) -> str:
    """A line for each device in its default mode, with a newline at the end."""
    entries = sorted(entries, key=lambda entry: entry.id)
    shown = [_default(entry) for entry in entries]
    columns = [
        Column("device", [entry.id for entry in entries], "<"),
        Column("sm", [str(p.sm).removeprefix("sm_") for p in shown]),
        Column("SMs", [str(p.sm_count) for p in shown]),
        Column("MHz", [f"{p.gpu_clock_mhz:.0f}" for p in shown], rank=2),
        Column("fp32", [_tera(p, "f32") for p in shown]),
        Column("fp16", [_tera(p, "f16") for p in shown]),
        Column("int8", [_tera(p, "i8") for p in shown]),
        Column("GB/s", [_number(p.dram_peak_gb_per_s) for p in shown]),
        Column("sustained", [_number(p.dram_sustained_gb_per_s) for p in shown], rank=4),
        Column("RAM", [f"{_number(p.ram_gib)} GiB" for p in shown]),
        Column("TensorRT", [p.tensorrt_default or UNKNOWN for p in shown], "<", rank=3),
        Column("modes", [_modes(entry) for entry in entries], "<", rank=1),
        Column("aliases", [", ".join(entry.aliases) for entry in entries], "<", rank=5),
    ]
    return "\n".join([*lay_out(columns, screen), "", *_legend(screen)]) + "\n"


def render_devices_json(entries: Sequence[DeviceEntry]) -> str:
    """Every device with every mode; a figure that is not known is null."""
    return dump({"devices": [_entry(entry) for entry in entries]})


def _legend(screen: Screen) -> list[str]:
    text = (
        "Figures are those of the default mode (*), dense; fp32, fp16 and int8 are peaks in T operations/s, a "
        "multiply-add being two. `-` is not known, `none` is not in the hardware."
    )
    return [screen.paint(line, "dim") for line in fold(text, screen)]


def _default(entry: DeviceEntry) -> DeviceProfile:
    return next(profile for profile in entry.profiles if profile.mode == entry.default_mode)


def _modes(entry: DeviceEntry) -> str:
    return " ".join(f"{mode}*" if mode == entry.default_mode else mode for mode in entry.modes)


def _tera(profile: DeviceProfile, kind: str) -> str:
    peak = profile.peak_flops_per_s(kind)
    if peak is None:
        return UNKNOWN
    return _NONE if peak == 0 else f"{peak / 1e12:.2f}"


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:g}"


def _entry(entry: DeviceEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "title": entry.title,
        "aliases": list(entry.aliases),
        "default_mode": entry.default_mode,
        "modes": [_profile(profile) for profile in entry.profiles],
    }


def _profile(profile: DeviceProfile) -> dict[str, Any]:
    peaks = {f"peak_{kind}_ops_per_s": profile.peak_flops_per_s(kind) for kind in NUMERIC_TYPES}
    return {
        "mode": profile.mode,
        "sm": profile.sm,
        "sm_count": profile.sm_count,
        "gpu_clock_mhz": profile.gpu_clock_mhz,
        **peaks,
        "dram_peak_gb_per_s": profile.dram_peak_gb_per_s,
        "dram_sustained_gb_per_s": profile.dram_sustained_gb_per_s,
        "ram_gib": profile.ram_gib,
        "usable_ram_bytes": profile.usable_ram_bytes,
        "tensorrt_default": profile.tensorrt_default,
    }

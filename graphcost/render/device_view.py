"""One device in one of its modes: each figure with its source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphcost.device import DeviceProfile

from .as_json import dump
from .columns import PLAIN, Column, Screen, fold, lay_out


def render_device(profile: DeviceProfile, modes: Iterable[str] = (), screen: Screen = PLAIN) -> str:
    """What is known of the device, with a newline at its end. `modes` are all that it has."""
    head = " · ".join([f"{profile.id}@{profile.mode}", profile.title, profile.sm])
    told = {
        "modes": " ".join(modes),
        "also": ", ".join(profile.aliases),
        "note": profile.note,
        "latency": _latency(profile),
    }
    blocks = [
        [screen.paint(head, "bold"), *_labelled(told, screen)],
        _table(profile, screen),
        _labelled({str(number): text for text, number in _numbered(profile).items()}, screen),
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def render_device_json(profile: DeviceProfile) -> str:
    """The same as data; a figure that is not known is absent."""
    figures = {name: {"value": v, "source": profile.sources[name]} for name, v in _figures(profile).items()}
    return dump({"id": profile.id, "title": profile.title, "mode": profile.mode, "figures": figures})


def _labelled(told: Mapping[str, str], screen: Screen) -> list[str]:
    width = max(map(len, told)) + 2
    return [
        part
        for label, text in told.items()
        if text
        for part in fold(f"{label:<{width}}{text}", screen, width)
    ]


def _table(profile: DeviceProfile, screen: Screen) -> list[str]:
    """The figures, each with the number of its source."""
    figures, numbers = _figures(profile), _numbered(profile)
    columns = [
        Column("figure", list(figures), "<"),
        Column("value", [_value(value) for value in figures.values()]),
        Column("source", [str(numbers[profile.sources[name]]) for name in figures]),
    ]
    return lay_out(columns, screen)


def _numbered(profile: DeviceProfile) -> dict[str, int]:
    """The sources, numbered in the order of the figures."""
    texts = dict.fromkeys(profile.sources[name] for name in _figures(profile))
    return {text: number for number, text in enumerate(texts, 1)}


def _figures(profile: DeviceProfile) -> dict[str, object]:
    return {name: getattr(profile, name) for name in sorted(profile.sources)}


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return ".".join(map(str, value))
    if value == 0:
        return "none"  # the hardware has no such unit
    return f"{value:,.10g}" if isinstance(value, float | int) else str(value)


def _latency(profile: DeviceProfile) -> str:
    """To what the parameters of the step model were fitted."""
    if not profile.fitted:
        return "no parameters of its own or of its architecture: those of all boards together (prior)"
    own = ", ".join(sorted(profile.fitted_precisions))
    return f"fitted to measurements in {own}" if own else "no measurements of its own: its architecture's (prior)"

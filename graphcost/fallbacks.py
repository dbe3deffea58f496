"""Which kernels compute in a wider type than was asked for, and why: what the journal knows, told by kernel."""

from __future__ import annotations

from collections.abc import Iterator

from .ir import Node
from .journal import FellBack, Journal
from .kernels import precision_of
from .report import Fallback

_WIDTHS = {"f64": 64, "f32": 32, "tf32": 19, "f16": 16, "bf16": 16, "i8": 8, "u8": 8, "f8e4m3fn": 8, "f8e5m2": 8}
"""Bits that take part in a product; TF32 rounds to 19 (A100 whitepaper). What is not listed is never a fallback."""


def fallbacks(kernels: list[Node], journal: Journal) -> Iterator[Fallback]:
    """One for each kernel that stands for a node which fell back and whose own type is wider than the one asked for:
    a node that was fused into a narrow kernel did not fall back after all."""
    entries = {name: entry for entry in reversed(journal.fell_back_) for name in entry.origins}
    if not entries:
        return
    for kernel in kernels:
        precision = precision_of(kernel)
        found = (entries[origin.name] for origin in kernel.origin if origin.name in entries)
        entry = next((entry for entry in found if _is_wider(precision, entry)), None)
        if entry is not None:
            yield Fallback(kernel.name, precision, entry.asked, entry.reason)


def _is_wider(precision: str, entry: FellBack) -> bool:
    return _WIDTHS.get(precision, 0) > _WIDTHS.get(entry.asked, 0)

"""What may vary of a network."""

from __future__ import annotations

from dataclasses import dataclass

from graphcost.errors import UsageError


@dataclass(frozen=True)
class Variant:
    """A width (1.0: the channels of the file), a resolution (rows, columns) and a batch; None is that of the file."""

    width: float = 1.0
    resolution: tuple[int, int] | None = None
    batch: int | None = None

    def __post_init__(self) -> None:
        sizes = (self.width, *(self.resolution or ()), self.batch or 1)
        if not all(size > 0 for size in sizes):
            raise UsageError(f"{self} has a size of 0 or less: width, resolution and batch begin above it")


def divisible(channels: int, width: float, divisor: int) -> int:
    """The channels of a layer at another width: the nearest multiple of the divisor, but no less than 90 % of what was
    asked for. Source: `_make_divisible` of the MobileNets (tensorflow/models; torchvision has the same)."""
    if width == 1.0:
        return channels
    asked = channels * width
    made = max(divisor, int(asked + divisor / 2) // divisor * divisor)
    return made if made >= 0.9 * asked else made + divisor

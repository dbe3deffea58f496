"""Sliding windows: how kernel, strides, pads and dilations turn the spatial dimensions of Conv and pooling."""

from __future__ import annotations

from dataclasses import dataclass

from graphcost.ir import Node
from graphcost.types import Dim

from .errors import ShapeMismatch
from .reading import Dims, integer, integers, word


@dataclass(frozen=True, slots=True)
class Window:
    """One entry for each spatial axis, except `pads`: all begins, then all ends."""

    kernel: Dims
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]
    auto_pad: str
    ceil: bool

    @property
    def extent(self) -> Dims:
        """How far a window reaches, holes of the dilation included."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations))

    @property
    def same(self) -> bool:
        return self.auto_pad in ("SAME_UPPER", "SAME_LOWER")

    def padding(self, axis: int) -> tuple[int, int]:
        """Elements added before and behind an axis; a padding chosen by `auto_pad` is not among them."""
        if self.auto_pad != "NOTSET":
            return 0, 0
        return self.pads[axis], self.pads[len(self.kernel) + axis]


def window(node: Node, kernel: Dims) -> Window:
    """The window of a node; absent attributes mean stride 1, dilation 1 and no pads."""
    rank = len(kernel)
    made = Window(
        kernel,
        _per_axis(node, "strides", (1,) * rank),
        _per_axis(node, "dilations", (1,) * rank),
        _per_axis(node, "pads", (0,) * (2 * rank)),
        word(node, "auto_pad", "NOTSET") or "NOTSET",
        bool(integer(node, "ceil_mode")),
    )
    if min((*made.strides, *made.dilations), default=1) < 1:
        raise ShapeMismatch(node, "strides and dilations must be 1 or more")
    return made


def _per_axis(node: Node, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
    found = integers(node, key) or default
    if len(found) != len(default):
        raise ShapeMismatch(node, f"attribute {key} has {len(found)} entries where {len(default)} are accepted")
    return found


def slide(node: Node, spatial: Dims, kernel: Dims) -> Dims:
    """Number of window positions along each axis of the input."""
    win = _fitting(node, window(node, kernel), spatial)
    return tuple(_positions(node, win, axis, size) for axis, size in enumerate(spatial))


def _fitting(node: Node, win: Window, spatial: Dims) -> Window:
    if len(spatial) != len(win.kernel):
        raise ShapeMismatch(node, f"a kernel of {len(win.kernel)} axes does not fit {len(spatial)} spatial dimensions")
    return win


def _positions(node: Node, win: Window, axis: int, size: Dim) -> Dim:
    stride = win.strides[axis]
    if win.same:
        return divide_up(size, stride)
    before, behind = win.padding(axis)
    reach = win.extent[axis] - (before + behind)
    if isinstance(size, int) and isinstance(reach, int) and size < reach:
        raise ShapeMismatch(node, f"a window of {win.extent[axis]} does not fit spatial axis {axis} of {size} elements")
    if not win.ceil or win.auto_pad != "NOTSET":
        return steps(size, reach, stride)
    return _without_padding_only(divide_up(shift(size, 0 - reach), stride) + 1, size + before, stride)


def _without_padding_only(count: Dim, end: Dim, stride: int) -> Dim:
    """A last window that would start in the padding behind the input is not taken."""
    if isinstance(count, int) and isinstance(end, int) and (count - 1) * stride >= end:
        return count - 1
    return count


def steps(size: Dim, reach: Dim, stride: int) -> Dim:
    """Positions of a window over `size` elements: (size - reach) // stride + 1."""
    if stride == 1:
        return shift(size, 1 - reach)
    return shift(size, 0 - reach) // stride + 1


def shift(size: Dim, by: Dim) -> Dim:
    """size + by, told as a difference where `by` is negative: names of unknown dimensions stay readable."""
    return size - (-by) if isinstance(by, int) and by < 0 else size + by


def divide_up(size: Dim, by: int) -> Dim:
    return size if by == 1 else (size + (by - 1)) // by


def spread(node: Node, win: Window, spatial: Dims) -> Dims:
    """The spatial dimensions that a transposed convolution or an unpooling gives, the inverse of `slide`."""
    extra = _per_axis(node, "output_padding", (0,) * len(_fitting(node, win, spatial).kernel))
    return tuple(_spread(win, axis, size, win.extent[axis] + extra[axis]) for axis, size in enumerate(spatial))


def _spread(win: Window, axis: int, size: Dim, extent: Dim) -> Dim:
    """`SAME` pads until the output is `size * stride`, where the kernel reaches so far."""
    stride = win.strides[axis]
    if win.same:
        missing = stride - extent
        return size * stride - (max(missing, 0) if isinstance(missing, int) else 0)
    return shift(size * stride, extent - stride - sum(win.padding(axis)))

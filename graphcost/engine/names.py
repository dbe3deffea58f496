"""The grammar of TensorRT's layer names: which ONNX nodes a name spells, and what else it says of the layer.

    A + B + C                                  fused one behind the other
    A || B                                     merged side by side
    PWN(PWN(a), b)                             pointwise nest
    {ForeignNode[first...last]}                region of Myelin; a_myl3_1, __myl_MulAdd_myl3_1: its kernels
    Reformatting CopyNode for Input Tensor 0 to X      X input reformatter 0 (TensorRT 7)
    X copy                                     part of a concatenation that is brought into its place
    reshape_before_X, copied_squeeze_after_X   shuffles that TensorRT adds
    (Unnamed Layer* 25) [ElementWise]          made by the parser
    [CONVOLUTION]-[aten_ops.convolution.default]-[/layer1/0/conv1/convolution_1]      Torch-TensorRT

Sources: engine layer lists of TensorRT 7 to 10.3 and build logs of 8.4 and 8.5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class Role(Enum):
    """What a layer's name says of it."""

    KERNEL = "kernel"
    REFORMAT = "reformat"
    COPY = "copy"
    REGION = "region"
    CONSTANT = "constant"
    SHAPE = "shape"
    """Computes shapes for Myelin, or gives a tensor another shape: no kernel of the network's own."""


@dataclass(frozen=True, slots=True)
class LayerName:
    """A name, taken apart. `parts` may name ONNX nodes, tensors, weights or the parser's own layers, in order; of a
    region they are its first and its last node. A reformat's parts are those of the layer that it serves."""

    role: Role
    parts: tuple[str, ...]


_REFORMAT = (
    re.compile(r"Reformatting CopyNode for (?:Network )?(?:Input|Output)(?: Tensor \d+)?(?: (?:to|of|from))? ?(.*)"),
    re.compile(r"(.*) (?:input|output) reformatter \d+"),
)
_REGION = re.compile(r"\{ForeignNode\[(.*?)\.\.\.(.*)\]\}(?:_myl\d+(?:_\d+)?)?")
_SHAPE = re.compile(
    r"(?:copied_)?(?:reshape|squeeze|unsqueeze|shuffle)(?:_node)?_(?:before|after)_.*|dummy_shape_call.*"
)
_OF_TORCH = re.compile(r"\[(?P<type>[A-Z_]+)\]-\[[^\]]*\]-\[(?P<path>[^\]]*)\]")
_HAVE_WEIGHTS = ("CONVOLUTION", "DECONVOLUTION", "MATRIX_MULTIPLY")  # one of these is all that a module runs
_KERNEL_OF_REGION = re.compile(r"_myl\d+_\d+$")
_GENERATED = re.compile(r"__myl_.*|\(Unnamed Layer\*? ?\d+\).*")


def parse_name(name: str) -> LayerName:
    """Take a layer's name apart. Any text is a name: what no rule knows is one part."""
    for pattern in _REFORMAT:
        if match := pattern.fullmatch(name):
            return LayerName(Role.REFORMAT, _spelled(match[1]))
    if match := _REGION.fullmatch(name):
        return LayerName(Role.REGION, (match[1], match[2]))
    if name.endswith(" copy"):
        return LayerName(Role.COPY, _spelled(name.removesuffix(" copy")))
    if name.endswith(" [Constant]"):
        return LayerName(Role.CONSTANT, ())
    is_shape = all(map(_SHAPE.fullmatch, name.split(" + ")))
    return LayerName(Role.SHAPE if is_shape else Role.KERNEL, _spelled(name))


def _spelled(name: str) -> tuple[str, ...]:
    """The parts of a name that may be a node's, without what TensorRT adds by itself."""
    sides = [part for side in name.split(" || ") for part in side.split(" + ")]
    leaves = [leaf for part in sides for leaf in _leaves(part)]
    return tuple(_KERNEL_OF_REGION.sub("", leaf) for leaf in leaves if not _is_added(leaf))


def _is_added(part: str) -> bool:
    torch = _OF_TORCH.fullmatch(part)
    return bool(_SHAPE.fullmatch(part) or _GENERATED.fullmatch(part) or (torch and torch["type"] not in _HAVE_WEIGHTS))


def torch_module(part: str) -> str | None:
    """`layer1.0.conv1`: the module that a part in the manner of Torch-TensorRT names; None for other parts."""
    match = _OF_TORCH.fullmatch(part)
    return match and match["path"].strip("/").rpartition("/")[0].replace("/", ".")


def _leaves(part: str) -> list[str]:
    """`PWN(PWN(a), b)` → a, b. Anything else is one leaf."""
    if not (part.startswith("PWN(") and part.endswith(")")):
        return [part]
    return [leaf for inner in _top_level(part[len("PWN(") : -1]) for leaf in _leaves(inner)]


def _top_level(text: str) -> list[str]:
    """Split at commas outside of parentheses."""
    found, depth, began = [], 0, 0
    for place, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            found.append(text[began:place].strip())
            began = place + 1
    return [*found, text[began:].strip()]

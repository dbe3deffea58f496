"""From what a layer spells to the nodes of an ONNX file, tolerant of how parsers and exporters rename them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from graphcost.instruments import OnnxNode

from .names import torch_module

_NUMBER = re.compile(r"[._]\d+$")


class Resolver:
    """Finds nodes by what a layer spells. The numbers that it gives are places in the order of execution."""

    def __init__(self, nodes: Sequence[OnnxNode]) -> None:
        self.names = tuple(node.name for node in nodes)
        tensors = [(tensor, place) for place, node in enumerate(nodes) for tensor in node.outputs]
        self._exact = {
            **{f"node_of_{tensor}": place for tensor, place in tensors},  # the parser's name for a nameless node
            **dict(tensors),
            **{name: place for place, name in enumerate(self.names)},
        }
        self._modules = _unambiguous((_module(name), place) for place, name in enumerate(self.names))
        self._loose = _unambiguous((_loosely(spelling), place) for spelling, place in self._exact.items())

    def find(self, part: str) -> int | None:
        """The node that a part of a layer's name means, by its name or that of its tensor; None where none does.

        Also found: names without a leading `/` or with `:0` behind, with letters replaced as Myelin does it, and with
        a number behind (the parser makes several layers of a Split, and gives the later ones a number). Torch-TensorRT
        names modules: found is the one node of a module, where torch's exporter named the file's nodes after modules.
        """
        if module := torch_module(part):
            return self._modules.get(module)
        tries = (self._exact.get(part), self._loose.get(_loosely(part)), self._exact.get(_NUMBER.sub("", part)))
        return next((place for place in tries if place is not None), None)

    def find_all(self, parts: Iterable[str]) -> tuple[int, ...]:
        """The nodes that can be found, each once, in the order of the parts."""
        found = (self.find(part) for part in parts)
        return tuple(dict.fromkeys(place for place in found if place is not None))


def _loosely(spelling: str) -> str:
    return re.sub(r"[^0-9A-Za-z]+", "_", spelling.removesuffix(":0").removesuffix("_output_0")).strip("_").lower()


def _module(name: str) -> str:
    """`/layer1/layer1.0/conv1/Conv` -> `layer1.0.conv1`: each module of a sequence repeats the name of the sequence."""
    path: list[str] = []
    for part in name.strip("/").split("/")[:-1]:
        if path and part.startswith(f"{path[-1]}."):
            path.pop()
        path.append(part)
    return ".".join(path)


def _unambiguous(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """What every pair of a spelling agrees on; spellings that mean several nodes are left out."""
    meanings: dict[str, set[int]] = {}
    for spelling, place in pairs:
        meanings.setdefault(spelling, set()).add(place)
    return {spelling: next(iter(places)) for spelling, places in meanings.items() if spelling and len(places) == 1}

"""Which module of the network a node belongs to, as exporters tell it: the path that its name is, or else where its
weights come from.

    /layer1/layer1.0/conv1/Conv    layer1 0 conv1     torch.onnx, by node
    layer1.0.conv1.weight          layer1 0 conv1     torch.export, by weight
    block1/conv/Conv2D             block1 conv        tf2onnx
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from graphcost.ir import Node

from .liveness import MemoryProfile
from .storage import Storage, Storages

Path: TypeAlias = "tuple[str, ...]"

INPUT = "(input)"


def path_of_node(name: str) -> Path | None:
    """The module in the name of an ONNX node; None where the name is no path."""
    if "/" not in name:
        return None
    module: list[str] = []
    before = ""
    for part in name.strip("/").split("/")[:-1]:
        module += part.removeprefix(f"{before}.").split(".")
        before = part
    return tuple(module)


def path_of_weight(name: str) -> Path | None:
    """The module in the name of a weight; None where it is no path."""
    return tuple(name.split(".")[:-1]) if "." in name and "/" not in name and ":" not in name else None


@dataclass
class Modules:
    """Says of nodes to which module they belong. A node of which nothing is known belongs where its first operand comes
    from. Each node is looked at once."""

    _known: dict[Node, Path] = field(default_factory=dict)

    def path_of(self, node: Node) -> Path:
        """The path from the top; () where nothing is known."""
        asked: list[Node] = []
        at: Node | None = node
        while at is not None and at not in self._known:
            asked.append(at)
            if (found := _told(at)) is not None:
                self._known[at] = found
                break
            at = next((v.producer for v in at.inputs if v.producer is not None), None)
        path = () if at is None else self._known[at]
        self._known.update(dict.fromkeys(asked, path))
        return path


def by_module(memory: MemoryProfile) -> dict[str, int]:
    """Bytes at the peak by module (`layer1/0/conv1`, the empty text where nothing is known), the most first; network
    inputs apart. They sum to the peak."""
    modules, sums = Modules(), dict[str, int]()
    for storage in memory.holders:
        maker = _maker(storage, memory.storages)
        name = INPUT if maker is None else "/".join(modules.path_of(maker))
        sums[name] = sums.get(name, 0) + storage.size_bytes
    return dict(sorted(sums.items(), key=lambda item: -item[1]))


def _maker(storage: Storage, plan: Storages) -> Node | None:
    """The node that makes what the storage is called after; None for a network input."""
    if not storage.values:
        return plan.nodes[storage.first]
    return next(value.producer for value in storage.values if value.name == storage.name)


def _told(node: Node) -> Path | None:
    """What the names of its ONNX nodes or of its weights say."""
    paths = (path_of_node(origin.name) for origin in node.origin)
    return next((path for path in (*paths, *_by_weights(node)) if path is not None), None)


def _by_weights(node: Node) -> Iterator[Path | None]:
    inner = (weight for body in node.bodies for weight in body.weights)
    yield from (path_of_weight(weight.name) for weight in (*filter(lambda v: v.is_weight, node.inputs), *inner))

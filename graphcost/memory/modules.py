"""Which module of the network a node belongs to, as exporters tell it.

    ['', 'layer1', 'layer1.0', 'layer1.0.conv1', 'conv_2']    layer1 0 conv1    the scopes that torch.export writes down
    /layer1/layer1.0/conv1/Conv                               layer1 0 conv1    the node's name, from torch.jit
    block1/conv/Conv2D                                        block1 conv       the node's name, from TensorFlow
    layer1.0.conv1.weight                                     layer1 0 conv1    the name of a weight that it alone reads
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from graphcost.ir import Node

from .liveness import MemoryProfile
from .storage import Storage, Storages

Path: TypeAlias = "tuple[str, ...]"

INPUT = "(input)"


def path_of_scopes(text: str) -> Path | None:
    """The innermost module of the scopes around a node, which itself is the last; None where they do not begin at the
    top of the network."""
    scopes = [scope.strip(" '\"") for scope in text.strip("[]").split(",")]
    return tuple(filter(None, scopes[-2].split("."))) if len(scopes) > 1 and scopes[0] == "" else None


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


def by_module(memory: MemoryProfile, scopes: Mapping[str, str]) -> dict[str, int]:
    """Bytes at the peak by module (`layer1/0/conv1`, the empty text where nothing is known), the most first; network
    inputs apart. They sum to the peak. `scopes` are those of ONNX nodes by name."""
    sums: dict[str, int] = {}
    for storage in memory.holders:
        maker = _maker(storage, memory.storages)
        name = INPUT if maker is None else "/".join(module_of(maker, scopes))
        sums[name] = sums.get(name, 0) + storage.size_bytes
    return dict(sorted(sums.items(), key=lambda item: -item[1]))


def module_of(node: Node, scopes: Mapping[str, str]) -> Path:
    """The path from the top of the network. A node of which nothing is said belongs where what it reads first was
    made, if something is said of that."""
    source = next((value.producer for value in node.inputs if value.producer is not None), None)
    for asked in (node, source):
        if asked is not None and (path := _told(asked, scopes)) is not None:
            return path
    return ()


def _maker(storage: Storage, plan: Storages) -> Node | None:
    """The node that makes what the storage is called after; None for a network input."""
    if not storage.values:
        return plan.nodes[storage.first]
    return next(value.producer for value in storage.values if value.name == storage.name)


def _told(node: Node, scopes: Mapping[str, str]) -> Path | None:
    """What the file says of it, or else the names of its ONNX nodes, or else those of its weights."""
    return next((path for path in _hints(node, scopes) if path is not None), None)


def _hints(node: Node, scopes: Mapping[str, str]) -> Iterator[Path | None]:
    for name, _ in node.origin:
        yield path_of_scopes(scopes.get(name, ""))
        yield path_of_node(name)
    for weights in (node.inputs, *(body.weights for body in node.bodies)):
        yield from (path_of_weight(v.name) for v in weights if v.is_weight and v.use_count == 1)

"""Ensembles of decision trees (ai.onnx.ml): a row goes down every tree, from its root to a leaf."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from graphcost.ir import Node
from graphcost.operators import CountWork, Effort, UnknownWork
from graphcost.types import Attr, Constant

from .classic import post_transform, rows_of
from .sizes import integer

Children = Mapping[Hashable, Sequence[Hashable]]
"""For each node that decides, the nodes to which it leads; leaves have no entry."""


def tree_ensemble(node: Node) -> Effort:
    """A comparison for each decision on the longest way down each tree, and a sum for each tree; then the transform of
    the scores.

    Not counted: reading the trees, which stand in attributes.
    """
    decides = _deciding(node)
    depths = longest_ways(decides)
    roots = _integers(node, "tree_roots")
    steps = sum(depths.get(root, 0) for root in roots)
    rows, targets = rows_of(node), integer(node, "n_targets", 1)
    return Effort(elementwise_ops=rows * (steps + len(roots)) + rows * targets * post_transform(node))


def _deciding(node: Node) -> Children:
    """Inner nodes by position; a branch that leads to a leaf leads to no node that decides."""
    ways = [(_integers(node, f"nodes_{way}nodeids"), _integers(node, f"nodes_{way}leafs")) for way in ("true", "false")]
    count = min(len(ids) for ids, _ in ways)
    if any(len(leafs) < count for _, leafs in ways):
        raise UnknownWork("the lists that describe the trees differ in length")
    return {i: [ids[i] for ids, leafs in ways if not leafs[i]] for i in range(count)}


def labelled_tree_ensemble(scores: str) -> CountWork:
    """A comparison for each decision on the longest way down each tree, and a sum for each leaf that it may end in;
    then the transform of the scores.

    Not counted: reading the trees, which stand in attributes.

    `scores` begins the names of the attributes of the leaves: `class` or `target`.
    """

    def count(node: Node) -> Effort:
        decides, trees = _labelled(node)
        depths = longest_ways(decides)
        deepest: dict[Hashable, int] = {}
        for key, tree in trees.items():
            deepest[tree] = max(deepest.get(tree, 0), depths.get(key, 0))
        sums, targets = _sums(node, scores), _targets(node, scores)
        rows = rows_of(node)
        return Effort(elementwise_ops=rows * (sum(deepest.values()) + sums + targets * post_transform(node)))

    return count


def _labelled(node: Node) -> tuple[Children, Mapping[tuple[int, int], int]]:
    """The older form: each node has the number of its tree and a number within it."""
    trees, ids = _integers(node, "nodes_treeids"), _integers(node, "nodes_nodeids")
    lists = [_integers(node, f"nodes_{way}nodeids") for way in ("true", "false")]
    modes = node.attrs.get("nodes_modes", ())
    if not isinstance(modes, tuple) or len({len(trees), len(ids), len(modes), *map(len, lists)}) != 1:
        raise UnknownWork("the lists that describe the trees differ in length")
    keys = list(zip(trees, ids))
    decides: Children = {
        key: [(key[0], ways[i]) for ways in lists] for i, (key, mode) in enumerate(zip(keys, modes)) if mode != "LEAF"
    }
    return decides, dict(zip(keys, trees))


def _sums(node: Node, scores: str) -> int:
    """Each tree ends in one leaf, which adds as many weights as the leaf of that tree with the most has."""
    trees, ids = _integers(node, f"{scores}_treeids"), _integers(node, f"{scores}_nodeids")
    weights: dict[tuple[int, int], int] = {}
    for leaf in zip(trees, ids):
        weights[leaf] = weights.get(leaf, 0) + 1
    most: dict[int, int] = {}
    for (tree, _), count in weights.items():
        most[tree] = max(most.get(tree, 0), count)
    return sum(most.values())


def _targets(node: Node, scores: str) -> int:
    return max(integer(node, "n_targets"), max(_integers(node, f"{scores}_ids"), default=0) + 1)


def longest_ways(decides: Children) -> dict[Hashable, int]:
    """Decisions on the longest way down from each node. Raises UnknownWork where a way leads back to its start."""
    depths: dict[Hashable, int] = {}
    open_: set[Hashable] = set()
    for start in decides:
        stack = [start]
        while stack:
            key = stack[-1]
            below = [child for child in decides[key] if child in decides]
            if key in depths:
                stack.pop()
            elif all(child in depths for child in below):
                depths[key] = 1 + max((depths[child] for child in below), default=0)
                stack.pop()
            elif key in open_:
                raise UnknownWork("a tree leads back to one of its own nodes")
            else:
                open_.add(key)
                stack += [child for child in below if child not in depths]
    return depths


def _integers(node: Node, key: str) -> tuple[int, ...]:
    """A list of integers, given as such or as a small tensor."""
    value: Attr = node.attrs.get(key, ())
    values = value.values if isinstance(value, Constant) else value
    return tuple(v for v in values if isinstance(v, int)) if isinstance(values, tuple) else ()


TREES: Mapping[str, CountWork] = {
    "ai.onnx.ml.TreeEnsemble": tree_ensemble,
    "ai.onnx.ml.TreeEnsembleClassifier": labelled_tree_ensemble("class"),
    "ai.onnx.ml.TreeEnsembleRegressor": labelled_tree_ensemble("target"),
}

"""Rules stand on evidence: recorded engines are simulated layer by layer, and what a rule cites is there."""

from __future__ import annotations

import json
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from recorded import EVIDENCE, Engine, Layer, compare, engines, names_of

from graphcost import passes
from graphcost.ir import Graph, Node
from graphcost.rewrite import FusionRule
from graphcost.types import TensorType

ENGINES = engines()
QUANTIZED = [engine for engine in ENGINES if engine.name.endswith(("_qat", "_qat-residual"))]
each_engine = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)


# Layers


@each_engine
def test_each_layer_is_one_kernel_that_holds_exactly_the_nodes_in_its_name(engine: Engine) -> None:
    found = compare(engine)
    print(f"{engine.name}: {found.count - len(found.different)} of {found.count}", *found.different, sep="\n  ")
    assert found.count > 5
    assert not found.different


@each_engine
def test_there_is_no_kernel_that_the_engine_does_not_have(engine: Engine) -> None:
    assert not compare(engine).extra


@pytest.mark.parametrize("engine", QUANTIZED, ids=lambda engine: engine.name)
def test_kernels_read_and_write_integers_where_the_engine_does(engine: Engine) -> None:
    held = {name: node for node in engine.kernels for name in names_of(node)}
    wrong = [
        f"{layer.name}: {_ours(node)}, not {_recorded(layer)}"
        for layer in engine.layers
        if layer.nodes and _ours(node := held[min(layer.nodes)]) != _recorded(layer)
    ]
    assert not wrong


def _recorded(layer: Layer) -> tuple[list[bool], list[bool]]:
    """Whether each tensor that a layer reads and writes holds integers."""
    return sorted("Int8" in border for border in layer.reads), sorted("Int8" in border for border in layer.writes)


def _ours(node: Node) -> tuple[list[bool], list[bool]]:
    read = [value.type for value in node.inputs if not value.is_weight]
    return sorted(map(_is_narrow, read)), sorted(_is_narrow(value.type) for value in node.results)


def _is_narrow(kind: object) -> bool:
    return isinstance(kind, TensorType) and kind.dtype == "i8"


def test_the_evidence_says_what_the_recorded_engines_say(shared: Path) -> None:
    for engine in ENGINES:
        groups = json.loads((shared / "engines" / "groups" / f"{engine.name}.groups.json").read_text())
        assert [layer.nodes for layer in engine.layers] == [frozenset(entry["named"]) for entry in groups["layers"]]


# Rules


def rules() -> Iterator[FusionRule]:
    """Every fusion rule of the built-in passes."""
    for module in pkgutil.iter_modules(passes.__path__):
        loaded = import_module(f"graphcost.passes.{module.name}")
        listed = getattr(loaded, "RULES", ())
        yield from (rule for rule in listed if isinstance(rule, FusionRule))
        if hasattr(loaded, "rules_of"):
            yield from loaded.rules_of(Graph(""))


RULES = {rule.name: rule for rule in rules()}
_ENGINE = re.compile(r"\b(?:trex|fuzzy)_[\w-]+\w")
_LAYER = re.compile(r"`([^`]+)`")


@cache
def sources() -> dict[str, str]:
    """What is cited beside engines, by the words that cite it."""
    return json.loads((EVIDENCE / "sources" / "sources.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", RULES)
def test_what_a_rule_cites_is_among_the_evidence(name: str) -> None:
    rule = RULES[name]
    cited = [engine for engine in ENGINES if engine.name in _ENGINE.findall(rule.evidence)]
    assert len(cited) == len(set(_ENGINE.findall(rule.evidence))), "an engine that nobody recorded"
    assert cited or any(words in rule.evidence for words in sources()), "no source that is known"
    listed = {layer.name for engine in cited for layer in engine.layers}
    if cited:
        assert [layer for layer in _LAYER.findall(rule.evidence) if layer not in listed] == []


def test_every_rule_says_for_which_runtimes_it_holds() -> None:
    assert len(RULES) > 10
    assert all(rule.runtimes for rule in RULES.values())

"""The page about the rules, made from them: `python -m graphcost.lint.documentation > docs/lint.md`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import fields

from .rule import Rule
from .rules import RULES

_HEAD = """\
# Lint

`graphcost lint MODEL [--device …] [--runtime …] [--fp16]` looks for what costs time or will not build: for each
finding the hazard, the nodes, what to do about it and why. Rules look at the network as it stands in the file, before
any pass, and leave alone what constant folding removes; those that speak of latency need `--device`.

- `--fail-on warning` (or `note`, `error`) exits with 1 on a finding as grave or graver; without it the exit code is 0.
- `--ignore RULE` leaves a rule out, `-v` names all nodes, `--format json` or `markdown` is for machines and comments.

An **error** will not build, a **warning** costs time or memory, a **note** is good to know.

| rule | severity | |
|---|---|---|
"""


def document_rules() -> str:
    """The page: a table of all rules, then each with its documentation, thresholds and sources."""
    rows = "".join(f"| [{rule.name}](#{rule.name}) | {rule.severity} | {_first_sentence(rule)} |\n" for rule in RULES)
    return "\n".join([_HEAD + rows, *(block for rule in RULES for block in _section(rule))])


def _section(rule: Rule) -> Iterator[str]:
    yield f"## {rule.name}\n"
    yield f"{_text(rule)}\n"
    if thresholds := ", ".join(f"`{f.name}` = {getattr(rule, f.name)}" for f in fields(rule)):
        yield f"Thresholds: {thresholds}.\n"
    yield f"Severity: {rule.severity}. {rule.help}\n"


def _text(rule: Rule) -> str:
    return inspect.getdoc(type(rule)) or ""


def _first_sentence(rule: Rule) -> str:
    paragraph = " ".join(_text(rule).partition("\n\n")[0].split())
    return paragraph.partition(". ")[0].rstrip(".") + "."


if __name__ == "__main__":
    print(document_rules(), end="")

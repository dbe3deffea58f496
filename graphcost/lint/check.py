"""The way through: a model and a target → findings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from graphcost.errors import UnknownName
from graphcost.importer import load, parse_sizes
from graphcost.plugin import load_registry
from graphcost.report import Report
from graphcost.target import Target, make_target

from .finding import SEVERITIES, LintResult
from .rule import Rule
from .rules import RULES
from .subject import Subject


def lint(model: Any, device: str | None = None, *, ignore: Iterable[str] = (), **options: Any) -> LintResult:
    """What rules find in a model (a path, bytes or an onnx.ModelProto) for a target.

    `options` are those of `graphcost.run`: runtime, precision, shapes, plugins, … Some rules look at kernels, and find
    nothing without a device. `ignore` names rules that are left out. Raises a UserError as `graphcost.run` does.
    """
    rules = _chosen(tuple(ignore))
    subject = _subject(model, device, options)
    found = [finding for rule in rules for finding in rule.find(subject)]
    return LintResult(
        model=subject.imported.name,
        path=subject.imported.path,
        device=subject.target.device.spec if subject.target.device else None,
        runtime=subject.target.runtime.name,
        precision=subject.target.precision,
        findings=tuple(sorted(found, key=lambda finding: -SEVERITIES.index(finding.severity))),
    )


def _chosen(ignored: Collection[str]) -> Sequence[Rule]:
    names = [rule.name for rule in RULES]
    for name in ignored:
        if name not in names:
            raise UnknownName("rule", name, names)
    return [rule for rule in RULES if rule.name not in ignored]


def _subject(model: Any, device: str | None, options: dict[str, Any]) -> Subject:
    """The model as imported, and its report if a device can price it. The passes that make the report change their
    graph, so they are given one of their own."""
    target = _target(device, options)
    operators = load_registry(options.get("plugins", ())).operators
    sizes = parse_sizes(options.get("shapes", ()), options.get("dims", ()), options.get("batch"))
    report = None if target.device is None else _report(model, device, options)
    return Subject(load(model, operators, sizes), target, operators, report)


def _target(device: str | None, options: dict[str, Any]) -> Target:
    runtime, precision = options.get("runtime"), options.get("precision")
    return make_target(device, runtime, precision, no_tf32=options.get("no_tf32", False))


def _report(model: Any, device: str | None, options: dict[str, Any]) -> Report:
    from graphcost.api import run

    return run(model, device, **options).report

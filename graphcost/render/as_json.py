"""JSON that people can read and `diff` can compare: one line for each kernel, keys in a fixed order."""

from __future__ import annotations

import json
from collections.abc import Mapping

from graphcost.report import Report


def render_json(report: Report) -> str:
    """The report in its versioned form (see `graphcost schema`)."""
    return dump(report.to_json())


def dump(document: Mapping[str, object]) -> str:
    """A document; the items of a list of objects stand on a line each. A missing value is null; NaN is refused."""
    members = [f"  {_text(key)}: {_member(value)}" for key, value in document.items()]
    return "{\n" + ",\n".join(members) + "\n}\n"


def _member(value: object) -> str:
    if isinstance(value, list) and value and not isinstance(value[0], (int, float)):
        return "[\n" + ",\n".join(f"    {_text(item)}" for item in value) + "\n  ]"
    if isinstance(value, Mapping) and any(isinstance(item, (Mapping, list)) for item in value.values()):
        return "{\n" + ",\n".join(f"    {_text(key)}: {_text(item)}" for key, item in value.items()) + "\n  }"
    return _text(value)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)

"""The page about accuracy, made from measurements: `python -m graphcost.accuracy.document docs/accuracy.toml`.

The TOML lists tables of measurements, `[[data]]`: `title`, `file` and `models` (relative to the TOML), optionally
`generator`, `source` and `use` (only rows that have these), `licence` and `about`. `rows = true` prints each row, which
only a licence allows; without it the page has summaries and single misses.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from graphcost.errors import UsageError
from graphcost.measurements import Measurement, load_generator, read_measurements
from graphcost.render.accuracy import LEGEND, accuracy_markdown
from graphcost.render.markdown import grid
from graphcost.render.units import significant
from graphcost.toml_files import Table, read_toml, text_of

from .predict import Prediction
from .study import Study, gather, study

_HEAD = """\
# Accuracy

Predicted against measured, on boards and by people that are not ours. This page is generated (`make accuracy`); the
same table for your own measurements is `graphcost accuracy data.csv`.

{how}

{legend}
"""

_MOST_PER_FAMILY = 120
"""Of a family with more rows (sizes, widths and cells of one network) so many, evenly spaced, stand for all."""


@dataclass(frozen=True)
class Section:
    """A table of measurements and what may be said of it."""

    title: str
    about: str
    licence: str
    shows_rows: bool
    measurements: tuple[Measurement, ...]


def document(config: Path, left_out: bool) -> str:
    """The page, with a newline at its end."""
    sections = read_sections(config)
    everything = [row for section in sections for row in section.measurements]
    found = _left_out(everything) if left_out else study(everything, ())
    how = _LEFT_OUT if left_out else _SHIPPED
    parts = [_HEAD.format(how=how, legend=LEGEND), _whole(found)]
    return "\n".join([*parts, *(_section(section, found) for section in sections)])


_LEFT_OUT = (
    "Every family of networks was left out in turn: the cost model was fitted anew to all other rows, and predicted "
    "the family with constants and intervals that had not seen it either. The only family of a source is left out in "
    "parts."
)
_SHIPPED = "Predictions are those of the profiles as shipped, which were fitted to rows among these."


def _left_out(rows: Sequence[Measurement]) -> Study:
    from .refit import refitted_study

    return refitted_study(rows, ())


def read_sections(config: Path) -> list[Section]:
    """The tables of measurements that a TOML lists. UsageError where one cannot be read."""
    listed = read_toml(config).get("data")
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise UsageError(f"{config}: tables [[data]] are expected, each with title, file and models")
    return [_read(entry, config) for entry in listed]


def _read(entry: Table, config: Path) -> Section:
    where = str(config)
    texts = {key: text_of(entry, key, where) for key in ("title", "file", "models", "generator", "source", "use")}
    if texts["file"] is None:
        raise UsageError(f"{config}: a table [[data]] says no file")
    generator = texts["generator"]
    rows = read_measurements(
        config.parent / texts["file"],
        config.parent / (texts["models"] or "."),
        None if generator is None else load_generator(config.parent / generator),
    )
    chosen = [r for r in rows if texts["source"] in (None, r.source) and texts["use"] in (None, r.use)]
    return Section(
        title=texts["title"] or texts["file"],
        about=text_of(entry, "about", where) or "",
        licence=text_of(entry, "licence", where) or "no licence: summaries only",
        shows_rows=entry.get("rows") is True,
        measurements=tuple(_thinned(chosen)),
    )


def _thinned(rows: Sequence[Measurement]) -> Iterator[Measurement]:
    families: dict[str, list[Measurement]] = {}
    for row in rows:
        families.setdefault(row.kin, []).append(row)
    for members in families.values():
        kept = min(len(members), _MOST_PER_FAMILY)
        yield from (members[i * len(members) // kept] for i in range(kept))


def _whole(found: Study) -> str:
    by_device = gather(found.predictions, (), (), ("device", "precision"))
    return "## All rows\n\n" + _table_only(by_device)


def _table_only(found: Study) -> str:
    return accuracy_markdown(Study(found.by, (), found.groups, found.pooled, (), ()))


def _section(section: Section, found: Study) -> str:
    own = set(section.measurements)
    predictions = [p for p in found.predictions if p.measurement in own]
    refused = [r for r in found.refused if r.measurement in own]
    keys = {(m.source, m.device_spec, m.measure) for m in own}
    constants = [c for c in found.constants if (c.source, c.device, c.measure) in keys]
    sources = ", ".join(sorted({m.source for m in own if m.source}))
    head = [f"## {section.title}", section.about, f"{len(own):,} rows. Source: {sources} ({section.licence})."]
    parts = [
        *head,
        accuracy_markdown(gather(predictions, refused, constants, ("device", "precision"))),
        "By family:",
        _table_only(gather(predictions, (), (), ("family",))),
        _rows(predictions) if section.shows_rows else "",
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _rows(predictions: Sequence[Prediction]) -> str:
    """Networks against boards: predicted / measured in ms."""
    boards = list(dict.fromkeys(p.measurement.device_spec for p in predictions))
    cells: dict[str, dict[str, str]] = {}
    for p in predictions:
        cells.setdefault(_network(p.measurement), {})[p.measurement.device_spec] = _cell(p)
    body = [[name, *(by_board.get(board, "") for board in boards)] for name, by_board in cells.items()]
    table = grid(["predicted / measured, ms", *boards], body, left=0, leading=1)
    return f"<details><summary>Row by row</summary>\n\n{table}\n\n</details>"


def _network(row: Measurement) -> str:
    size = row.shapes.rpartition(":")[2]
    return " ".join(filter(None, [row.network.partition(".")[0], size, row.precision]))


def _cell(p: Prediction) -> str:
    return f"{significant(p.predicted_ms, 3)} / {significant(p.measurement.latency_ms, 3)} ({100 * p.error:+.0f} %)"


def main(arguments: Sequence[str]) -> None:
    """Print the page of a configuration; `--as-shipped` in place of leaving families out, which takes minutes."""
    config = next((a for a in arguments if not a.startswith("-")), "docs/accuracy.toml")
    print(document(Path(config), left_out="--as-shipped" not in arguments), end="")


if __name__ == "__main__":
    main(sys.argv[1:])

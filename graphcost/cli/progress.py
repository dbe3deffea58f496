"""A progress bar on a terminal, for anything that takes over a second. Before that it costs a sleeping thread."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from graphcost.ir import Graph
from graphcost.pipeline import Instrument, Pass

_PATIENCE_S = 1.0
_REFRESH_S = 0.1


class Watcher(Instrument):
    """Knows which step is running."""

    def __init__(self) -> None:
        self.step = "reading the model"

    def before(self, step: Pass, graph: Graph) -> None:
        self.step = step.name


@contextmanager
def watched(quiet: bool) -> Iterator[Watcher]:
    """An instrument for a run, and a bar on standard error while the run lasts."""
    watcher = Watcher()
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield watcher
        return
    done = threading.Event()
    bar = threading.Thread(target=_show, args=(watcher, done), daemon=True)
    bar.start()
    try:
        yield watcher
    finally:
        done.set()
        bar.join()


def _show(watcher: Watcher, done: threading.Event) -> None:
    if done.wait(_PATIENCE_S):
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(watcher.step, total=None)
        while not done.wait(_REFRESH_S):
            progress.update(task, description=watcher.step)

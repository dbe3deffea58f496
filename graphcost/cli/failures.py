"""What went wrong, told in one line: the user's part with what would be accepted, ours with a file to report."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from graphcost.errors import UserError
from graphcost.files import write_atomic

OUR_FAULT = 70  # EX_SOFTWARE of sysexits.h

_CRASH_FILE = "crash-graphcost.txt"


def tell(sentence: str) -> None:
    """A line on standard error."""
    if sys.stderr is None:  # closed by who started us; print would take standard output for it
        return
    with suppress(OSError):  # the exit code says it too
        print(f"graphcost: {' '.join(sentence.split())}", file=sys.stderr, flush=True)


def tell_user_error(error: UserError) -> int:
    """Say what cannot be used; the exit code that goes with it."""
    tell(str(error))
    return error.exit_code


def tell_crash(error: Exception, verbose: bool) -> int:
    """Say that the fault is ours and where the reproducer is. `verbose` shows the traceback too."""
    import traceback

    from graphcost.pipeline import PassFailed

    if verbose:
        traceback.print_exception(error)
    if isinstance(error, PassFailed):
        path = _save(f"crash-{error.step.name}.gcir", error.reproducer)
        tell(f"{error}; this is a bug in the pass, not in the model: please report it with {path}, which reproduces it")
    else:
        path = _save(_CRASH_FILE, "".join(traceback.format_exception(error)))
        tell(f"{_sentence(error)}; this is a bug in graphcost: please report it with {path}")
    return OUR_FAULT


def _sentence(error: Exception) -> str:
    return f"internal error: {type(error).__name__}: {error}"


def _save(name: str, text: str) -> Path:
    """Write a file into the working directory, or where temporary files go if it cannot be written."""
    try:
        path = Path(name)
        write_atomic(path, text)
    except UserError:
        import tempfile

        path = Path(tempfile.gettempdir(), name)
        write_atomic(path, text)
    return path

"""The command line: parse, call one function, render. Errors are told in one line; the exit code says whose they are.

0 fine, 1 a threshold is broken, 2 usage, 3 the model cannot be read, 4 unknown where a number is needed, or
(with --strict) a network that the runtime would refuse, 70 our fault, 130 interrupted.
"""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from graphcost.errors import UserError

from .failures import tell_crash, tell_user_error

INTERRUPTED = 130  # as a shell says of what Ctrl-C ended
_COLLECTED_AFTER = 100_000
"""Objects that a process makes before garbage is looked for: imports make tens of thousands, none of them garbage."""


def _own_process() -> None:
    """What holds for the program and not for those who call `main`."""
    gc.set_threshold(_COLLECTED_AFTER)
    signal.signal(signal.SIGINT, lambda number, frame: sys.exit(INTERRUPTED))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command with the given arguments (by default those of the process) and exit."""
    if arguments is None:
        _own_process()
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        from .app import app_for
        from .trtexec import without_trtexec

        known = without_trtexec(given)
        app_for(known)(known, prog_name="graphcost")
    except UserError as error:
        sys.exit(tell_user_error(error))
    except Exception as error:
        sys.exit(tell_crash(error, verbose=not {"-v", "-vv", "--verbose"}.isdisjoint(given)))
    sys.exit(0)

"""The module that `python -m polyexp` runs, and the function that the command `polyexp` calls."""

import atexit
import gc
import sys

from polyexp.cli.signals import signals
from polyexp.cli.standard_streams import ignore_foreign_warnings, restart_in_utf8_mode, secure
from polyexp.cli.starting import starting

__all__ = ["main"]


def main() -> int:
    """Run the command line in `sys.argv` and return the exit code; see `polyexp.cli.main`."""
    signals.take()
    restart_in_utf8_mode()
    secure()
    ignore_foreign_warnings()
    # At its end Python then does not search all modules for garbage, which takes a fifth of a short run.
    atexit.register(gc.freeze)
    with starting(sys.argv[1:]):
        from polyexp.cli.main import main as run

        try:
            return run()
        finally:
            signals.ended()


if __name__ == "__main__":
    sys.exit(main())

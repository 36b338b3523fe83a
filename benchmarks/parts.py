"""What the parts of a sweep cost: `python -m benchmarks.parts <file> <words of the command>` runs it and writes them to a file.

Each part is what some functions use of the processor, without what others of them use that they call. A part that runs in
several threads is their sum.
"""

import functools
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

IMPORTED = ("hydra", "matplotlib.figure", "torch")
PARTS = {
    "composing, building and checking": ("polyexp.cli.sweep:Sweep._checked",),
    "the fits": ("polyexp.sweep.run:_computed",),
    "Hydra's files and the folder": ("polyexp.cli.job_maker:_begun",),
    "the journal": tuple(
        f"polyexp.tracking.journal:Journal.{name}" for name in ("__init__", "snapshot", "result", "files", "end")
    ),
    "the files of the result": ("polyexp.experiment.run:write",),
    "the log": tuple(f"polyexp.report.terminal:Terminal.{name}" for name in ("begin", "snapshot", "summary", "end")),
    "the rest of publishing a job": ("polyexp.sweep.run:publish_computed",),
    "the lines on the terminal": ("polyexp.cli.launcher:_Lines.ended",),
    "the table and the picture of the sweep": ("polyexp.sweep.record:SweepRecord.finish",),
}
_seconds: Counter[str] = Counter()
_lock, _inner = threading.Lock(), threading.local()


def timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose seconds of the processor are counted, without those of timed functions that it calls."""

    @functools.wraps(function)
    def wrapper(*args: Any, **options: Any) -> Any:
        outer, _inner.seconds = getattr(_inner, "seconds", 0.0), 0.0
        began = time.thread_time()
        try:
            return function(*args, **options)
        finally:
            took = time.thread_time() - began
            with _lock:
                _seconds[part] += took - _inner.seconds
            _inner.seconds = outer + took

    return wrapper


def main(path: Path, words: list[str]) -> int:
    """Run a command, and write the seconds of its parts to a file; those of none are `all else`."""
    timed("imports", lambda: [import_module(name) for name in IMPORTED])()
    for part, functions in PARTS.items():
        for name in functions:
            module, _, below = name.partition(":")
            *owners, last = below.split(".")
            owner = functools.reduce(getattr, owners, import_module(module))
            setattr(owner, last, timed(part, getattr(owner, last)))
    sys.argv = ["polyexp", *words]
    from polyexp.__main__ import main as command

    code = command()
    path.write_text(json.dumps(_seconds | {"all else": time.process_time() - _seconds.total()}), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))

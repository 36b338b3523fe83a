"""Workers without a library: one computes slices in the process of the test, and others are forked."""

import os
import pickle
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from polyexp.cli.local_workers import Joblib


@dataclass
class InProcess(Joblib):
    """Workers that compute slices here, the last one first; what it is given and what it returns is pickled."""

    package: ClassVar[str] = "pickle"  # which is installed everywhere
    received: ClassVar[list[Any]] = []

    @property
    def at_once(self) -> int:
        return self.n_jobs

    def map(self, work: Callable[[Any], Any], parts: Sequence[Any], folder: Path) -> Iterator[tuple[int, Any]]:
        self.received[:] = parts
        for place, part in reversed(list(enumerate(parts))):
            yield place, pickle.loads(pickle.dumps(work(pickle.loads(pickle.dumps(part)))))


@dataclass
class Forked(InProcess):
    """Workers that are children of this process. That of the first slice kills itself after `survived` jobs."""

    survived: ClassVar[int] = 0

    def map(self, work: Callable[[Any], Any], parts: Sequence[Any], folder: Path) -> Iterator[tuple[int, Any]]:
        for place, part in enumerate(parts):
            yield place, self._returned_by_child(work, part, dies=place == 0)

    def _returned_by_child(self, work: Callable[[Any], Any], part: Any, dies: bool) -> Any:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            if dies:
                _kill_after(self.survived)
            os.write(writing, pickle.dumps(work(part)))
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            text = pipe.read()
        os.waitpid(child, 0)
        with suppress(EOFError):
            return pickle.loads(text)
        return None


def _kill_after(jobs: int) -> None:
    """Have this process kill itself when it writes the result of the job after so many."""
    import polyexp.experiment.run as run_module

    write, count = run_module.write, 0

    def killing(*of: Any) -> Any:
        nonlocal count
        count += 1
        if count > jobs:
            os.kill(os.getpid(), signal.SIGKILL)
        return write(*of)

    run_module.write = killing

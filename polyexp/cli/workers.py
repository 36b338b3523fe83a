"""What starts the workers of a sweep: the settings and the one method that those of each library have."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from polyexp.base import InputError

__all__ = ["MAX_WORKERS", "Work", "Workers", "key_of"]

MAX_WORKERS = 10_000
Work = Callable[[Any], Any]


def key_of(name: str) -> str:
    """The key of a setting of workers, as it is typed.

    Args:
        name: Its name.
    """
    return f"hydra.launcher.{name}"


@dataclass
class Workers(ABC):
    """A library that starts workers. Its fields are the settings of its launcher, `hydra.launcher`."""

    launcher: ClassVar[str]  # the choice of hydra/launcher
    package: ClassVar[str]  # which is that of the extra, too

    def require_there(self) -> None:
        """Require that the library is installed.

        Raises:
            InputError: It is not.
        """
        if find_spec(self.package) is None:
            raise InputError(
                f"`hydra/launcher={self.launcher}` needs {self.package}, which is not installed: "
                f"type `pip install 'polyexp[{self.package}]'`."
            )

    @property
    @abstractmethod
    def at_once(self) -> int:
        """The number of slices that are computed at once."""

    @abstractmethod
    def map(self, work: Work, parts: Sequence[Any], folder: Path) -> Iterator[tuple[int, Any]]:
        """Have workers compute parts, and give the place of each that has ended with what it has returned; None if it died.

        Args:
            work: The function of a module that a worker calls with a part.
            parts: The parts, which can be pickled.
            folder: The folder of the sweep.
        """

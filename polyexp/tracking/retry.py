"""Calls to a store that is far away: repeated a few times where that may help, and never waited for without end."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

from polyexp.tracking.answers import within
from polyexp.tracking.failures import is_passing

__all__ = ["Retry"]

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True)
class Retry:
    """How often and how long a call is tried.

    Args:
        attempt: The seconds that a server has for an answer.
        total: The seconds after which a call is given up, whatever it is waiting for.
        tries: The largest number of attempts.
        pause: The seconds before the second attempt at most; they double with each further one.
    """

    attempt: int = 5
    total: float = 20.0
    tries: int = 3
    pause: float = 0.5

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What a function returns that may be called again where it has failed.

        Args:
            function: The function.
            *args: Its arguments.
            **kwargs: Its arguments by name.

        Raises:
            TimeoutError: It has not returned in time; it may do so later, in a thread of its own.
            Exception: The error of the last attempt.
        """
        deadline = time.monotonic() + self.total
        for number in range(1, self.tries + 1):
            pause = self.pause_after(number)
            try:
                return within(max(deadline - time.monotonic(), 0.0), partial(function, *args, **kwargs))
            except Exception as error:
                too_late = time.monotonic() + pause + self.attempt > deadline
                if number == self.tries or too_late or not is_passing(error):
                    raise
            time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def once(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What a function returns that must not be called again without a further look. It raises the same as `call`."""
        return within(self.total, partial(function, *args, **kwargs))

    def pause_after(self, number: int) -> float:
        """The seconds to wait after an attempt, which are random, so that many processes do not come back at once.

        Args:
            number: The number of the attempt, from 1.
        """
        return random.uniform(0.5, 1.0) * self.pause * 2.0 ** (number - 1)

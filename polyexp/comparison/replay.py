"""A recorded run and its replay, compared to the last bit: parameters, loss, steps, outcome, and every snapshot."""

import math
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from polyexp.base import counted
from polyexp.tracking import RecordedFit, ResultFile

__all__ = ["Deviation", "Replayed", "deviation"]

Row = tuple[float, ...]
History = tuple[Sequence[str], Iterable[Row]]  # the names of the columns, `step` first, and the rows


@dataclass(frozen=True, order=True)
class Deviation:
    """The difference of two float64 numbers that are not the same to the bit; deviations are ordered by size.

    Args:
        relative: The distance divided by the larger of their absolute values; infinite where one of them is not finite.
        ulps: The number of float64 numbers from the one to the other; infinite likewise.
        of: What the numbers are, such as "w3 at step 40".
    """

    relative: float
    ulps: float
    of: str

    def __str__(self) -> str:
        if not math.isfinite(self.ulps):
            return f"one of the two is not finite ({self.of})"
        units = "1 unit" if self.ulps == 1 else f"{self.ulps:.15g} units"
        return f"{self.relative:.2g} of the larger value, {units} in the last place ({self.of})"


def deviation(one: float | None, other: float | None, of: str) -> Deviation | None:
    """The difference of two numbers; None where they are the same to the bit, or both nan, or both not recorded.

    Args:
        one: A number; None stands for one that is not finite.
        other: Another one.
        of: What they are.

    Example:
        >>> deviation(1.0, 1.0, "w0")
        >>> print(deviation(1.0, 1 + 2**-52, "w0"))
        2.2e-16 of the larger value, 1 unit in the last place (w0)
    """
    first, second = (math.nan if value is None else value for value in (one, other))
    if (math.isnan(first) and math.isnan(second)) or struct.pack("d", first) == struct.pack("d", second):
        return None
    if not (math.isfinite(first) and math.isfinite(second)):
        return Deviation(math.inf, math.inf, of)
    largest = max(abs(first), abs(second))
    relative = abs(first / largest - second / largest) if largest else 0.0
    return Deviation(relative, abs(_place(first) - _place(second)), of)


def _place(value: float) -> int:
    """The place of a float64 number among all of them, in ascending order; -0.0 comes directly before 0.0."""
    bits: int = struct.unpack("<q", struct.pack("<d", value))[0]
    return bits if bits >= 0 else -(2**63) - bits - 1


@dataclass(frozen=True)
class Replayed:
    """What a comparison of a recorded run with its replay has found.

    Args:
        parameters: The number of parameters.
        snapshots: The number of snapshots that both have.
        params_deviate: The largest deviation of a final parameter or of the final loss; None where there is none.
        history_deviates: The largest deviation in the history, likewise.
        first_step: The first step at which the history deviates.
        otherwise: What else is not the same, in words, such as the outcome.
    """

    parameters: int
    snapshots: int
    params_deviate: Deviation | None
    history_deviates: Deviation | None
    first_step: int | None
    otherwise: Sequence[str]

    @classmethod
    def of(cls, recorded: RecordedFit, replay: RecordedFit) -> "Replayed":
        """The comparison of a recorded run with its replay.

        Args:
            recorded: The recorded run.
            replay: Its replay.

        Raises:
            InputError: The result.json or the history.csv of one of them cannot be read.
        """
        then, now = recorded.require_result(), replay.require_result()
        history = _History(recorded.history(), replay.history())
        return cls(
            parameters=len(then.parameters),
            snapshots=history.common,
            params_deviate=max(_result_deviations(then, now), default=None),
            history_deviates=history.largest,
            first_step=history.first_step,
            otherwise=[*_otherwise(then, now), *history.otherwise()],
        )

    @property
    def identical(self) -> bool:
        """Whether both are the same to the bit."""
        return self.params_deviate is None and self.history_deviates is None and not self.otherwise

    def sentences(self) -> list[str]:
        """What is the same or not, in sentences."""
        if self.identical:
            return [
                f"All {counted(self.parameters, 'parameter')} and all {counted(self.snapshots, 'snapshot')} of the history are "
                "the same to the last bit."
            ]
        found = [f"{one[0].upper()}{one[1:]}." for one in self.otherwise]
        if self.params_deviate:
            found.append(f"Largest difference of the final parameters and loss: {self.params_deviate}.")
        else:
            found.append("The final parameters and the final loss are the same to the last bit.")
        if self.history_deviates:
            found.append(
                f"Largest difference in the history: {self.history_deviates}; first at step {self.first_step}."
            )
        return found


class _History:
    """Two histories, which are read side by side, snapshot by snapshot.

    Args:
        then: That of the recorded run.
        now: That of its replay.
    """

    def __init__(self, then: History, now: History) -> None:
        self.common, self.first_step, self.largest = 0, None, None  # type: int, int | None, Deviation | None
        self._alone = [0, 0]  # snapshots that only one of them has
        self._names = then[0], now[0]
        shared = [name for name in then[0] if name in now[0] and name != "step"]
        places = [(name, then[0].index(name), now[0].index(name)) for name in shared]
        for one, other in _side_by_side(iter(then[1]), iter(now[1])):
            if one is None or other is None:
                self._alone[one is None] += 1
            else:
                self.common += 1
                self._compare(int(one[0]), [(name, one[left], other[right]) for name, left, right in places])

    def _compare(self, step: int, values: Sequence[tuple[str, float, float]]) -> None:
        for name, one, other in values:
            if found := deviation(one, other, f"{name} at step {step}"):
                self.first_step = step if self.first_step is None else self.first_step
                self.largest = found if self.largest is None else max(self.largest, found)

    def otherwise(self) -> Iterator[str]:
        """What only one of the two histories has, in words."""
        for whose, number in zip(("the recorded", "the new"), self._alone, strict=True):
            if number:
                yield f"{counted(number, 'snapshot')} of {whose} history {'is' if number == 1 else 'are'} not in the other one"
        if set(self._names[0]) != set(self._names[1]):
            yield "the columns of the two histories are not the same"


def _side_by_side(then: Iterator[Row], now: Iterator[Row]) -> Iterator[tuple[Row | None, Row | None]]:
    """The rows of both by their steps, None where one of them has no row of a step."""
    one, other = next(then, None), next(now, None)
    while one or other:
        is_first, is_second = _is_next(one, other), _is_next(other, one)
        yield (one if is_first else None), (other if is_second else None)
        one = next(then, None) if is_first else one
        other = next(now, None) if is_second else other


def _is_next(one: Row | None, other: Row | None) -> bool:
    return one is not None and (other is None or one[0] <= other[0])


def _result_deviations(then: ResultFile, now: ResultFile) -> Iterator[Deviation]:
    pairs = [("the loss", then.loss, now.loss)]
    pairs += [(name, value, now.parameters.get(name)) for name, value in then.parameters.items()]
    for name, one, other in pairs:
        if found := deviation(one, other, name):
            yield found


def _otherwise(then: ResultFile, now: ResultFile) -> Iterator[str]:
    if set(then.parameters) != set(now.parameters):
        yield "the names of the parameters are not the same"
    if then.outcome != now.outcome:
        yield f"the outcome was {then.outcome} and is {now.outcome}"
    for name, one, other in (
        ("learning rate", then.learning_rate, now.learning_rate),
        ("momentum", then.momentum, now.momentum),
    ):
        if one not in (None, other):
            yield f"the {name} that was used was {one} and is {other}"
    if then.steps not in (None, now.steps):
        yield f"the run took {counted(then.steps or 0, 'step')} and takes {now.steps}"
    if then.total != now.total:
        yield f"there were {counted(then.total, 'sample')} and there are {now.total}"

"""What a file keeps of a checkpoint: plain arrays, which the parts of the fit complete again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from polyexp.base import InputError, Value
from polyexp.fitting.checkpoint import Checkpoint
from polyexp.fitting.history import STACKED, History
from polyexp.fitting.outcome import Outcome
from polyexp.fitting.state import State, read_only

__all__ = ["SavedCheckpoint"]

FLOAT, WHOLE, TEXT = "<f8", "<i8", "<U11"  # as which numbers, counts and the names of outcomes are kept
KINDS = {
    "step": WHOLE,
    "history.step": WHOLE,
    "seconds": FLOAT,
    "initial": FLOAT,
    "params": FLOAT,
    "loss": FLOAT,
    "grad_norm": FLOAT,
    "finite": FLOAT,
    "taken": WHOLE,
    "best": FLOAT,
    "waited": WHOLE,
    "outcome": TEXT,
    "steps": WHOLE,
    "snapshots": WHOLE,
}
HISTORY = {f"history.{name}": FLOAT for name in STACKED if name != "step"}
OPT_STATE, NUMBER = "opt_state.", "optimizer."  # begin the names of the arrays of an optimizer, and of its numbers
GOING = ""  # in place of the outcome of a run that goes on


@dataclass(frozen=True)
class SavedCheckpoint(Value):
    """A checkpoint without the parts of its fit, which are described by their settings.

    Of the history it has the steps alone, or all values as well, as a batch needs them, whose journals come later.

    Args:
        settings: The settings of the fit, as text by their keys.
        fingerprint: The fingerprint of the experiment.
        arrays: The numbers by their names; read-only.

    Example:
        >>> import polyexp as p
        >>> from polyexp.fitting import SavedCheckpoint
        >>> parts = {"loop": p.Manual(steps=100, log_every=10), "optimizer": p.Adam(0.1), "backend": p.NumPy()}
        >>> samples, model = p.Samples.of([-1, 0, 1], [1, 0, 1]), p.PowerSeries(degree=1)
        >>> stopped = p.fit(samples, model, **parts, stop=lambda: True)
        >>> saved = SavedCheckpoint.of(stopped.checkpoint, {"seed": "0"}, "0123456789abcdef")
        >>> saved.step, saved.steps.tolist(), saved.history
        (1, [1], None)
        >>> result = p.fit(samples, model, **parts, start=lambda begin: saved.joined(begin, stopped.history))
        >>> result.outcome.name, bool((result.params == p.fit(samples, model, **parts).params).all())
        ('MAX_STEPS', True)
    """

    settings: Mapping[str, str]
    fingerprint: str
    arrays: Mapping[str, np.ndarray]

    @classmethod
    def of(
        cls, checkpoint: Checkpoint, settings: Mapping[str, str], fingerprint: str, *, with_history: bool = False
    ) -> Self:
        """What a file keeps of a checkpoint; no number is copied.

        Args:
            checkpoint: The checkpoint.
            settings: The settings of the fit, as text by their keys.
            fingerprint: The fingerprint of the experiment.
            with_history: Whether the values of the history are kept, too.
        """
        state, progress, history = checkpoint.state, checkpoint.progress, checkpoint.history
        values: dict[str, Any] = {"history.step": history.step}
        values |= {name: getattr(checkpoint, name) for name in ("seconds", "initial", "finite", "taken")}
        values |= {name: getattr(state, name) for name in ("step", "params", "loss", "grad_norm")}
        values |= {name: getattr(progress, name) for name in ("best", "waited", "steps", "snapshots")}
        values["outcome"] = _names(progress.outcome)
        values |= {OPT_STATE + name: array for name, array in state.opt_state.items()}
        values |= {NUMBER + name: number for name, number in checkpoint.optimizer.numbers.items()}
        if with_history:
            values |= {f"history.{name}": getattr(history, name) for name in STACKED}
        arrays = {name: read_only(np.asarray(value, _kind(name), order="C")) for name, value in values.items()}
        return cls(dict(settings), fingerprint, arrays)

    def require_complete(self) -> None:
        """Require the arrays that a checkpoint has, and no others, of their kinds, with numbers that counts can have.

        Raises:
            InputError: It is not so; the sentence goes on after "it".
        """
        names = set(self.arrays)
        _require(set(KINDS) <= names and len(names & set(HISTORY)) in (0, len(HISTORY)), "lacks an array")
        extra = names - set(KINDS) - set(HISTORY)
        _require(all(one.startswith((OPT_STATE, NUMBER)) for one in extra), "has an array that no checkpoint has")
        _require(all(array.dtype == _kind(one) for one, array in self.arrays.items()), "has an array of another kind")
        _require(all(self.arrays[one].ndim == 0 for one in ("step", "seconds")), "has an array in place of a number")
        _require(self.arrays["history.step"].ndim == 1, "has no list of the steps of its snapshots")
        outcomes = {one.name for one in Outcome} - {Outcome.INTERRUPTED.name} | {GOING}
        _require(set(self.arrays["outcome"].ravel().tolist()) <= outcomes, "has an outcome that there is not")
        counts = [array for one, array in self.arrays.items() if KINDS.get(one) == WHOLE]
        _require(all((array >= 0).all() for array in counts), "has a number of steps below 0")
        _require(bool(np.isfinite(self.arrays["finite"]).all()), "has parameters that are not finite")

    @property
    def step(self) -> int:
        """The number of updates so far."""
        return int(self.arrays["step"])

    @property
    def steps(self) -> np.ndarray:
        """The steps of the snapshots so far, whose values are in the journal of the run, or in `history`. Shape (S,)."""
        return self.arrays["history.step"]

    @property
    def seconds(self) -> float:
        """The time that the steps took so far, in seconds."""
        return float(self.arrays["seconds"])

    @property
    def history(self) -> History | None:
        """The history, if its values were kept; otherwise None."""
        if not set(HISTORY) <= set(self.arrays):
            return None
        values = {name: self.arrays[f"history.{name}"] for name in STACKED}
        return History(**values, length=self.arrays["snapshots"][()])

    def joined(self, begin: Checkpoint, history: History | None = None) -> Checkpoint:
        """The whole checkpoint, from which `fit` goes on.

        Args:
            begin: The checkpoint of the fit that goes on before its first step, with which `fit` calls its `start`.
            history: The history, with these steps; None where the file has it.

        Raises:
            InputError: The checkpoint is of a fit with other initial values, numbers of the optimizer or shapes, or the
                history is not that of the checkpoint.
        """
        arrays, progress = self.arrays, begin.progress
        differences = list(self._differences(begin))
        if differences:
            raise InputError(
                f"The checkpoint is of a fit with other values of {' and '.join(differences)}: "
                "give the settings with which the run was started."
            )
        history = self.history if history is None else replace(history, length=arrays["snapshots"][()])
        if history is None:
            raise InputError("The checkpoint has no history: give that of the journal of the run.")
        self._require_history(history, begin.initial)
        opt_state = {name: arrays[OPT_STATE + name] for name in begin.state.opt_state}
        counted: dict[str, Any] = {name: arrays[name] for name in ("best", "waited", "steps", "snapshots")}
        return replace(
            begin,
            state=State(np.int64(self.step), arrays["params"], opt_state, arrays["loss"], arrays["grad_norm"]),
            finite=arrays["finite"],
            taken=arrays["taken"],
            progress=replace(progress, **counted, outcome=_outcomes(arrays["outcome"])),
            history=history,
            seconds=self.seconds,
        )

    def _differences(self, begin: Checkpoint) -> Iterator[str]:
        """What is not the same in the fit that goes on, in words."""
        if not _equal(self.arrays["initial"], begin.initial):
            yield "the initial values (`params` or `seed`)"
        numbers = {NUMBER + name: np.asarray(one, FLOAT) for name, one in begin.optimizer.numbers.items()}
        kept = {name: array for name, array in self.arrays.items() if name.startswith(NUMBER)}
        shapes = {OPT_STATE + name: array.shape for name, array in begin.state.opt_state.items()}
        states = {name: array.shape for name, array in self.arrays.items() if name.startswith(OPT_STATE)}
        same = numbers.keys() == kept.keys() and all(_equal(numbers[name], array) for name, array in kept.items())
        if not same or shapes != states:
            yield "the optimizer"
        runs = begin.initial.shape[:-1]
        expected = {name: runs for name in KINDS if name not in ("step", "history.step", "seconds")}
        expected |= dict.fromkeys(("initial", "params", "finite"), begin.initial.shape)
        if any(self.arrays[name].shape != shape for name, shape in expected.items()):
            yield "the number of runs or parameters"

    def _require_history(self, history: History, initial: np.ndarray) -> None:
        """Require that a history can be that of this checkpoint."""
        steps, runs = self.steps, initial.shape[:-1]
        length = steps.size
        shapes = {"step": (length,), "params": (length, *initial.shape)}
        shapes |= dict.fromkeys(("loss", "excess", "grad_norm"), (length, *runs))
        same = all(getattr(history, name).shape == shape for name, shape in shapes.items())
        same = same and _equal(steps, np.asarray(history.step, WHOLE))
        in_order = (np.diff(steps) > 0).all() and (steps[-1:] <= self.step).all() and (steps[:1] > 0).all()
        if not (same and in_order and (self.arrays["snapshots"] <= length).all()):
            raise InputError(
                f"The history is not that of the checkpoint, which has {length} snapshots up to step {self.step}: give "
                "that of the journal of the run."
            )


def _kind(name: str) -> str:
    """The dtype of an array."""
    return KINDS.get(name) or HISTORY.get(name, FLOAT)


def _require(ok: bool, otherwise: str) -> None:
    if not ok:
        raise InputError(otherwise)


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether both have the same shape and bits."""
    return one.shape == other.shape and one.tobytes() == np.asarray(other, one.dtype).tobytes()


def _names(outcomes: np.ndarray) -> np.ndarray:
    """The names of outcomes; an empty text for None."""
    flat = [GOING if one is None else one.name for one in outcomes.ravel()]
    return np.array(flat, TEXT).reshape(outcomes.shape)


def _outcomes(names: np.ndarray) -> np.ndarray:
    """The outcomes of the names."""
    outcomes = np.full(names.size, None, object)
    outcomes[:] = [None if one == GOING else Outcome[one] for one in names.ravel().tolist()]
    return outcomes.reshape(names.shape)

"""One problem by every formulation that can run here, and what a model says of itself, each against an independent answer.

The reference is plain NumPy: it knows of a model nothing but `forward`, which it differentiates by complex steps, so that it
shares neither `backward` nor autograd with the formulations that are held against it.

How far rounding alone may carry a run is measured, not guessed: beside the reference run, runs whose every gradient is off by a
few units of rounding. A formulation may differ by ten times as much, and by 1e-11 in any case.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from polyexp.base import InputError
from polyexp.crosscheck.differences import TOLERANCE, one_line
from polyexp.crosscheck.formulations import Formulation, formulations
from polyexp.crosscheck.model_checks import Promise, promises
from polyexp.crosscheck.reference import Reference, reference_run
from polyexp.model import Model
from polyexp.optimizer import Optimizer
from polyexp.problem import Samples, Source, gauss

__all__ = ["Crosscheck", "crosscheck", "sets"]

MAX_WHOLE_SAMPLES = 2**16  # samples that are fitted without reduction
MAX_REFERENCE_COST = 2**21  # K^2 N of the reference: some seconds


@dataclass(frozen=True)
class Crosscheck:
    """What was found. tolerance: of parameters and losses; gradients have `TOLERANCE`. steps: up to which was compared."""

    model: str
    reference: str
    steps: int
    tolerance: float
    formulations: tuple[Formulation, ...]
    promises: tuple[Promise, ...]
    notes: tuple[str, ...]

    @property
    def broken(self) -> tuple[Promise, ...]:
        """The promises that the model does not keep."""
        return tuple(one for one in self.promises if one.kept is False)

    @property
    def differing(self) -> tuple[Formulation, ...]:
        """The formulations that do not agree with the reference."""
        return tuple(one for one in self.formulations if not one.agrees)

    @property
    def agrees(self) -> bool:
        """Whether everything that was compared agrees, and something was."""
        return bool(self.formulations) and not self.broken and not self.differing


def sets(source: Source, used: Samples, degree: int | None, seed: int) -> tuple[Samples, Samples | None]:
    """The samples of a problem without reduction and with it; None where they cannot be reduced.

    used: those that a fit takes. More than `MAX_WHOLE_SAMPLES` samples are only taken reduced: twice the same then.
    InputError where there are so many and they cannot be.
    """
    reducible = degree is not None and used.total > degree + 1
    if used.total > MAX_WHOLE_SAMPLES:
        if not reducible:
            raise InputError(
                f"`action=crosscheck` takes at most {MAX_WHOLE_SAMPLES} samples of a model that is no polynomial, "
                f"got {used.total}."
            )
        few = used if used.size < used.total else gauss(used, degree or 0)
        return few, few
    whole = used if used.size == used.total else source.samples(seed)
    if not reducible:
        return whole, None
    return whole, used if used.size < used.total else gauss(used, degree or 0)


def crosscheck(
    model: Model,
    whole: Samples,
    few: Samples | None = None,
    *,
    optimizer: Optimizer,
    initial: np.ndarray,  # shape: (K,)
    steps: int = 200,
) -> Crosscheck:
    """Every formulation on all samples and on their reduction `few`, if there is one, against the reference.

    The reference is computed on `whole`, or on `few` where that would take long. model: on the samples' domain. Nothing
    here raises for what is wrong with a model; it is in what is returned.
    """
    kept = tuple(promises(model, few or whole))
    truth = few if few is not None and _cost(model, whole) > MAX_REFERENCE_COST else whole
    notes = (f"{whole.total} samples are too many to be fitted without reduction.",) if whole.size < whole.total else ()

    def found(course: Reference | None, formulations: Sequence[Formulation], *more: str) -> Crosscheck:
        step, tolerance = (int(course.step.max(initial=0)), course.tolerance) if course else (0, TOLERANCE)
        reference = f"NumPy with `forward` differentiated by complex steps, on {_points(truth)}"
        return Crosscheck(model.choice, reference, step, tolerance, tuple(formulations), kept, (*notes, *more))

    try:
        with np.errstate(all="ignore"):
            course = reference_run(model, truth, optimizer, initial, steps)
    except Exception as error:  # of a model that is not ours; what is wrong with it is the result
        return found(None, (), f"The reference failed: {one_line(error)}")
    if not np.isfinite(course.size).all():
        return found(course, (), "The loss is not finite at the first parameters.")
    reached = course.step.max(initial=0)
    beyond = f"Compared up to step {reached}: beyond it the run diverges, or rounding decides it."
    on = [whole] if few is None or few is whole else [few, whole]
    rows = [one for samples in on for one in formulations(model, samples, optimizer, initial, steps, course)]
    return found(course, rows, *([beyond] if reached < steps else []))


def _cost(model: Model, samples: Samples) -> int:
    """Of a step of the reference."""
    return len(model.param_names) ** 2 * samples.size


def _points(samples: Samples) -> str:
    if samples.size < samples.total:
        return f"{samples.size} weighted samples that stand for {samples.total}"
    return f"all {samples.total} samples"

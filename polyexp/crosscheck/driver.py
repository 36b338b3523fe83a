"""Whole crosschecks: the samples, the reference, and every formulation and check."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from polyexp.base import InputError, counted
from polyexp.crosscheck.differences import TOLERANCE, one_line
from polyexp.crosscheck.formulations import Formulation, formulations
from polyexp.crosscheck.model_checks import ModelCheck, model_checks
from polyexp.crosscheck.reference import Reference, reference_run
from polyexp.model import Model
from polyexp.optimizer import Optimizer
from polyexp.problem import Samples, Source, gauss

__all__ = ["Crosscheck", "crosscheck", "sample_sets"]

MAX_WHOLE_SAMPLES = 2**16  # more samples than these are fitted only after reduction
MAX_REFERENCE_COST = 2**21  # of K^2 N for one step of the reference: a few seconds for all steps


@dataclass(frozen=True)
class Crosscheck:
    """The findings of a crosscheck.

    Args:
        model: The choice that names the model.
        reference: What the reference is, as text.
        steps: The last step that was compared.
        tolerance: The largest relative difference of parameters and losses that rounding explains; that of gradients is
            `TOLERANCE`.
        formulations: Every formulation with its differences from the reference.
        checks: The checks of the model.
        notes: What limits the comparison, in sentences.
    """

    model: str
    reference: str
    steps: int
    tolerance: float
    formulations: tuple[Formulation, ...]
    checks: tuple[ModelCheck, ...]
    notes: tuple[str, ...]

    @property
    def failed_checks(self) -> tuple[ModelCheck, ...]:
        """The checks of the model that failed."""
        return tuple(one for one in self.checks if one.passed is False)

    @property
    def differing(self) -> tuple[Formulation, ...]:
        """The formulations that differ from the reference by more than the tolerances."""
        return tuple(one for one in self.formulations if not one.agrees)

    @property
    def agrees(self) -> bool:
        """Whether no check failed, and all formulations, of which there is at least one, agree with the reference."""
        return bool(self.formulations) and not self.failed_checks and not self.differing


def sample_sets(source: Source, used: Samples, degree: int | None, seed: int) -> tuple[Samples, Samples | None]:
    """The samples of a problem without reduction and with it; None in place of the latter if they cannot be reduced.

    Of more than `MAX_WHOLE_SAMPLES` samples both are the reduced ones.

    Args:
        source: The problem.
        used: The samples that a fit uses, reduced or not.
        degree: The degree of the model; None for a model that is not a polynomial.
        seed: The seed of random samples.

    Raises:
        InputError: There are more than `MAX_WHOLE_SAMPLES` samples, and they cannot be reduced.
    """
    reducible = degree is not None and used.total > degree + 1
    if used.total > MAX_WHOLE_SAMPLES:
        if not reducible:
            raise InputError(
                f"`action=crosscheck` takes at most {MAX_WHOLE_SAMPLES} samples of a model that is not a polynomial, "
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
    """Compare every formulation, on all samples and on the reduced ones, with the reference; and check the model.

    The reference is computed on `whole`, or on `few` where `whole` would take too long. A fault of the model raises nothing; it
    is part of what is returned.

    Args:
        model: The model on the domain of the samples.
        whole: All samples.
        few: The reduced samples; None if they cannot be reduced.
        optimizer: The optimizer; its learning rate is a number.
        initial: The initial values. Shape (K,).
        steps: The number of steps.
    """
    initial = np.asarray(initial, float)
    checks = tuple(model_checks(model, few or whole))
    reference_samples = few if few is not None and _cost(model, whole) > MAX_REFERENCE_COST else whole
    notes = (f"{whole.total} samples are too many to be fitted without reduction.",) if whole.size < whole.total else ()

    def found(reference: Reference | None, rows: Sequence[Formulation], *more: str) -> Crosscheck:
        step, tolerance = (int(reference.step.max(initial=0)), reference.tolerance) if reference else (0, TOLERANCE)
        description = f"NumPy with `forward` differentiated by complex steps, on {_points(reference_samples)}"
        return Crosscheck(model.choice, description, step, tolerance, tuple(rows), checks, (*notes, *more))

    try:
        with np.errstate(all="ignore"):
            reference = reference_run(model, reference_samples, optimizer, initial, steps)
    except Exception as error:  # models of others may raise anything; their faults are findings
        return found(None, (), f"The reference failed: {one_line(error)}")
    if not np.isfinite(reference.size).all():
        return found(reference, (), "The loss is not finite at the initial parameters.")
    reached = reference.step.max(initial=0)
    beyond = f"Compared up to step {reached}: after that the run diverges, or rounding dominates it."
    compared = [whole] if few is None or few is whole else [few, whole]
    rows = [one for samples in compared for one in formulations(model, samples, optimizer, initial, steps, reference)]
    return found(reference, rows, *([beyond] if reached < steps else []))


def _cost(model: Model, samples: Samples) -> int:
    """The cost K^2 N of one step of the reference."""
    return len(model.param_names) ** 2 * samples.size


def _points(samples: Samples) -> str:
    if samples.size < samples.total:
        stand = "that stands" if samples.size == 1 else "that stand"
        return f"{counted(samples.size, 'weighted sample')} {stand} for {samples.total}"
    return f"all {samples.total} samples" if samples.total > 1 else "the only sample"

"""The action that runs a recorded run again, and compares the two to the last bit."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from polyexp.action.action import Action
from polyexp.base import SETTINGS, DisagreementError, InputError, cut, shown, spell
from polyexp.comparison.replay import Replayed
from polyexp.experiment import Experiment, Job
from polyexp.experiment.run import run
from polyexp.fitting import Outcome
from polyexp.report import Terminal
from polyexp.tracking import (
    FINGERPRINT_TAG,
    RecordedFit,
    differences,
    recorded_environment,
    recorded_fit,
    runs_together,
)

__all__ = ["Replay"]

MAX_LISTED = 5  # settings that a sentence names
DIRTY = "-dirty"  # at the end of a commit whose files were changed


@dataclass
class Replay(Action, name="replay"):
    """Run a recorded run again, and compare its parameters and its history with the recorded ones to the last bit.

    The command line takes the settings of the experiment from the record (`polyexp.cli.replaying`).

    Args:
        run: The id of the run, its first 6 or more characters, or its folder.
    """

    records: ClassVar[bool] = True

    run: str = ""

    def check(self, experiment: Experiment) -> None:
        """Check that the run exists, that it has a result and a history, and that the experiment is its own.

        Raises:
            InputError: Where this is not so, or the record is damaged.
        """
        fit = self._named(experiment)
        if fit.require_result().outcome == Outcome.INTERRUPTED.name:
            raise InputError(
                f"The run {fit.shown} was interrupted: type `resume={fit.shown}` first, so that it has a result."
            )
        for _ in fit.history()[1]:  # a damaged line is found before the run, not after it
            pass
        settings = experiment.settings()
        for key in fit.params:
            if key in settings and not fit.agrees(key, settings[key]):
                raise InputError(
                    f"`action=replay` must be typed in a command of its own: `{key}` is {shown(spell(settings[key]))} here, "
                    f"and {shown(fit.params[key])} in the run {fit.shown}."
                )

    def __call__(self, experiment: Experiment, job: Job) -> float:
        """Run it, print the verdict, and return the final loss.

        Raises:
            DisagreementError: With the verdict, where something is not the same.
        """
        fit = self._named(experiment)
        typed = tuple(
            one for one in job.overrides if one.partition("=")[0].partition(".")[0] not in (*SETTINGS, "seed")
        )
        result = run(experiment, replace(job, overrides=typed, replay_of=fit.id or fit.shown))
        again = recorded_fit(str(job.folder), self.key("run"), experiment.tracking)
        found = Replayed.of(fit, again)
        verdict = f"Replay of {fit.shown}: {'identical' if found.identical else 'NOT identical'}."
        lines = [verdict, *found.sentences(), *_circumstances(fit, again, experiment, found)]
        with Terminal(job.folder, quiet=experiment.quiet) as terminal:
            for line in ("", *lines):
                terminal.print(line)
        if not found.identical:
            raise DisagreementError(" ".join(lines))
        return float(result.loss)

    def _named(self, experiment: Experiment) -> RecordedFit:
        return recorded_fit(self.run, self.key("run"), experiment.tracking)


def _circumstances(fit: RecordedFit, again: RecordedFit, experiment: Experiment, found: Replayed) -> Iterator[str]:
    """What differs between the two runs besides their numbers, in sentences."""
    if new := [key for key in experiment.settings() if key not in fit.params]:
        keys = ", ".join(f"`{key}`" for key in new[:MAX_LISTED]) + (", ..." if len(new) > MAX_LISTED else "")
        yield f"The record lacks {keys}: the default is used."
    if not found.identical:
        yield from _causes(fit, again, experiment)
    yield from _environments(fit, again)


def _causes(fit: RecordedFit, again: RecordedFit, experiment: Experiment) -> Iterator[str]:
    """What may be the cause of a difference, but for the environments, in sentences."""
    then, now = (recorded_environment(one.tags) for one in (fit, again))
    if (runs := runs_together(then)) > 1:
        yield f"The recorded run was computed in a batch of {runs} runs, which rounds otherwise than a run alone."
    prints = [one.tags.get(FINGERPRINT_TAG) for one in (fit, again)]
    if None not in prints and prints[0] != prints[1] and then.get("core") in (None, now.get("core")):
        yield _changed(experiment)
    if DIRTY in (then.get("commit", "")[-len(DIRTY) :], now.get("commit", "")[-len(DIRTY) :]):
        yield "The source was changed without a commit, so that the name of the commit does not tell what has run."


def _changed(experiment: Experiment) -> str:
    """Why the fingerprints of the two runs are not the same, though their settings are."""
    if experiment.problem.stamp is None:
        return "The fingerprints are not the same: the numerical core of polyexp, or what its record holds, has changed since."
    return f"The data file {cut(experiment.problem.label)} has another size or another time than it had."


def _environments(fit: RecordedFit, again: RecordedFit) -> Iterator[str]:
    """What differs between the environments of the two runs, in sentences."""
    then, now = (recorded_environment(one.tags) for one in (fit, again))
    if "python" not in then:
        yield "The record does not have the environment of the run, as versions of libraries, kernels and the processor."
    if found := differences(then, now):
        yield f"What differs between the two environments: {'; '.join(found)}."
    elif then:
        yield "Nothing that is recorded of the two environments differs."

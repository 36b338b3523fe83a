"""The command line of `resume=<run>`: the recorded settings of the run, what is typed over them, and its own folder."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from polyexp.base import InputError, cut, shown
from polyexp.cli.recorded_words import recorded_words
from polyexp.cli.replaying import typed_tracker
from polyexp.cli.texts import quote, unquoted
from polyexp.cli.values import Override
from polyexp.tracking import FOLDER_TAG, JOURNAL, Header, RecordedFit, header_of, recorded_fit

__all__ = ["RESUME_RUN", "resuming_words"]

RESUME_RUN = "resume"
# What may be typed beside it with another value than the recorded one: how the run goes on, not what it is.
CHANGEABLE = ("loop.steps", "loop.tolerance", "loop.patience", "quiet", RESUME_RUN)
CHANGEABLE_GROUPS = ("backend", "device", "tracking", "report", "checkpoint")


def resuming_words(options: argparse.Namespace, overrides: Sequence[Override]) -> list[str] | None:
    """The overrides of a run that goes on; None where none is typed.

    Args:
        options: The options that are typed.
        overrides: The overrides that are typed.

    Raises:
        InputError: The run is not there, its settings cannot be used, or something is typed that would make it another one.
    """
    typed = {one.key: one for one in overrides}
    if RESUME_RUN not in typed:
        return None
    value = unquoted(typed[RESUME_RUN].word).partition("=")[2]
    if value == "null":
        return None
    if options.multirun:
        raise InputError(f"`{RESUME_RUN}` is of one run: leave -m out; a sweep goes on by `sweep.resume`.")
    if options.config_dir or options.config_path or options.config_name:
        raise InputError(f"`{RESUME_RUN}` takes the settings from the record: leave the options of config files out.")
    fit = recorded_fit(value, RESUME_RUN, typed_tracker(overrides))
    folder = _folder(value, fit)
    header, _ = header_of(folder)
    _require_same(fit, overrides)
    rest = [one for one in overrides if one.key != RESUME_RUN]
    place = quote(str(folder).replace("${", "\\${"))
    words = [*recorded_words(fit, rest), *(one.word for one in rest), *_tracking(header, {one.key for one in rest})]
    return [*words, f"hydra.run.dir={place}", f"{RESUME_RUN}={place}"]


def _folder(value: str, fit: RecordedFit) -> Path:
    """The folder of the run, which has its journal."""
    for folder in (Path(value), Path(fit.tags.get(FOLDER_TAG, ""))):
        if str(folder) and (folder / JOURNAL).is_file():
            return folder.resolve()
    raise InputError(
        f"The run {fit.shown} cannot be resumed: its folder, {shown(fit.tags.get(FOLDER_TAG, value))}, is not there. "
        "Resume it on the machine where it was started."
    )


def _require_same(fit: RecordedFit, overrides: Sequence[Override]) -> None:
    """Require that nothing is typed that would make it another run."""
    for one in overrides:
        group = one.key.replace("/", ".").partition(".")[0]
        if one.key in CHANGEABLE or group in CHANGEABLE_GROUPS:
            continue
        value = unquoted(one.word).partition("=")[2]
        recorded = fit.params.get(one.key)
        if recorded != value:
            was = "it is not set" if recorded is None else f"it is {shown(recorded)}"
            raise InputError(
                f"`{cut(one.key)}` cannot be changed in a run that goes on: {was} in the run {fit.shown}, and {shown(value)} "
                f"here. Leave it out, or start a run of its own; {', '.join(CHANGEABLE[:3])}, and "
                f"{', '.join(CHANGEABLE_GROUPS)} may be others."
            )


def _tracking(header: Header, typed: set[str]) -> Iterator[str]:
    """Where the run is recorded, which is where it goes on; the store itself is that of the command, never one of a record."""
    if header.store is None and "tracking" not in typed:
        yield "tracking=none"
    elif header.store is not None and "tracking.experiment_name" not in typed:
        yield f"tracking.experiment_name={quote(header.experiment)}"

"""The command line of `resume=<run>`: the recorded settings of the run, what is typed over them, and its own folder."""

import argparse
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import yaml

from polyexp.base import InputError, cut, from_here, open_regular, printable, shown
from polyexp.cli.configs import ConfigFiles
from polyexp.cli.judge import Judge
from polyexp.cli.kinds import is_interpolation
from polyexp.cli.recorded_words import recorded_words
from polyexp.cli.replaying import typed_tracker
from polyexp.cli.texts import quote
from polyexp.cli.values import Override
from polyexp.tracking import (
    DESCRIPTIONS,
    FOLDER_TAG,
    JOURNAL,
    JOURNAL_TAG,
    KIND_SWEEP,
    KIND_TAG,
    REPLAY_TAG,
    Header,
    MLflow,
    NoTracking,
    RecordedFit,
    header_of,
    recorded_fit,
    require_plain,
)

__all__ = ["RESUME_RUN", "resuming_words"]

RESUME_RUN = "resume"
# What may be typed beside it with another value than the recorded one: how the run goes on, not what it is.
CHANGEABLE = ("loop.steps", "loop.tolerance", "loop.patience", "quiet", RESUME_RUN)
KEPT_KEYS = (
    "quiet",
    "report.pictures",
    "report.page",
    "checkpoint.every",
    "tracking.wait",
    "tracking.required",
    "tracking.log_model",
)
OVERRIDES_FILE, MAX_OVERRIDES_BYTES = Path(DESCRIPTIONS, "overrides.yaml"), 2**20
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
    value = typed[RESUME_RUN].text
    if value == "null":
        return None
    if options.multirun:
        raise InputError(f"`{RESUME_RUN}` is of one run: leave -m out; a sweep goes on by `sweep.resume`.")
    if options.config_dir or options.config_path or options.config_name:
        raise InputError(f"`{RESUME_RUN}` takes the settings from the record: leave the options of config files out.")
    named = recorded_fit(value, RESUME_RUN, typed_tracker(overrides))
    folder = _folder(value, named)
    require_plain(folder)
    header = _header(folder)
    fit = recorded_fit(str(folder), RESUME_RUN, NoTracking())  # params in a store stay those of the first start
    _require_own(named, header, folder)
    _require_same(fit, header, overrides)
    rest = [one for one in overrides if one.key != RESUME_RUN]
    place = quote(str(folder).replace("${", "\\${"))
    words = [*recorded_words(fit, rest), *_circumstances(folder, set(typed)), *(one.word for one in rest)]
    words += _tracking(header, typed)
    return [*words, f"hydra.run.dir={place}", f"{RESUME_RUN}={place}"]


def _folder(value: str, fit: RecordedFit) -> Path:
    """The folder of the run, which has its journal."""
    places = [Path(text) for text in (value, fit.tags.get(FOLDER_TAG)) if text]
    for place in places:
        if (place / JOURNAL).is_file():
            return place.resolve()
    missing, folder = f"is not there, or has no {JOURNAL}", printable(fit.tags.get(FOLDER_TAG, value))
    raise InputError(
        f"The run {fit.shown} cannot be resumed: its folder, {folder}, {missing}. Resume it on the machine where it was "
        f"started, and where the folder has been moved, type `{RESUME_RUN}=` with its new path."
    )


def _header(folder: Path) -> Header:
    """The header of the journal in a folder."""
    try:
        return header_of(folder)[0]
    except OSError as error:  # of an empty file, too
        raise InputError(
            f"The run in {printable(str(folder))} cannot be resumed: its {JOURNAL} cannot be read ({error.strerror}). Start a "
            "run of its own."
        ) from error


def _original(folder: Path, header: Header) -> Path | None:
    """The folder of which this one is a copy, as the header of the journal says, which is data; None where there is none."""
    with suppress(InputError, OSError, RuntimeError, ValueError):  # of a text that is no path, or of links in a circle
        place = Path(header.tags.get(FOLDER_TAG, "")).absolute()
        if place.resolve() != folder and header_of(place)[0].id == header.id:
            return place
    return None


def _require_own(fit: RecordedFit, header: Header, folder: Path) -> None:
    """Require that the folder is that of the run, and that it goes on by itself."""
    if fit.tags.get(JOURNAL_TAG, header.id) != header.id:
        raise InputError(
            f"The run {fit.shown} cannot be resumed: its folder {printable(str(folder))} has another run by now. Start it "
            "again."
        )
    if original := _original(folder, header):
        raise InputError(
            f"The run in {printable(str(folder))} is a copy of that in {printable(str(original))}, which is recorded as the "
            f"same run: type `{shlex.quote(f'{RESUME_RUN}={printable(str(from_here(original)))}')}`, or start a run of its own."
        )
    if header.parent:
        raise InputError(
            f"The run {fit.shown} is a job of a sweep, with which it goes on: type `sweep.resume={folder.parent}`, or start a "
            "run of its own."
        )
    if kind := header.tags.get(KIND_TAG):
        instead = f": type `sweep.resume={folder}`" if kind == KIND_SWEEP else ""
        raise InputError(
            f"{printable(str(folder))} is that of a {cut(kind)}, and `{RESUME_RUN}` is of one run{instead}."
        )
    if replayed := header.tags.get(REPLAY_TAG):
        raise InputError(
            f"The run {fit.shown} is a replay, whose verdict comes at its end: type `action=replay action.run={cut(replayed)}`."
        )


def _require_same(fit: RecordedFit, header: Header, overrides: Sequence[Override]) -> None:
    """Require that nothing is typed that would make it another run."""
    for one in overrides:
        value = one.text
        if one.key == "tracking.experiment_name" and header.store is not None and value != header.experiment:
            raise InputError(
                f"`{one.key}` cannot be changed in a run that goes on: it is {shown(header.experiment)}. Leave it out."
            )
        if one.key in CHANGEABLE or _group(one.key) in CHANGEABLE_GROUPS:
            continue
        recorded = fit.params.get(one.key)
        if recorded is None or not fit.agrees(one.key, value):
            was = "it is not set" if recorded is None else f"it is {shown(recorded)}"
            raise InputError(
                f"`{cut(one.key)}` cannot be changed in a run that goes on: {was} in the run {fit.shown}, and {shown(value)} "
                f"here. Leave it out, or start a run of its own; {', '.join(CHANGEABLE[:3])}, and "
                f"{', '.join(one for one in CHANGEABLE_GROUPS if one != MLflow.group)} may be others."
            )


def _circumstances(folder: Path, typed: set[str]) -> Iterator[str]:
    """What was typed at the first start about how the run is shown and recorded, as Hydra has written it into its folder.

    It decides no result, so that what cannot be read is left out.
    """
    try:
        with open_regular(folder / OVERRIDES_FILE) as file:
            words = yaml.safe_load(file.read(MAX_OVERRIDES_BYTES))
    except (OSError, RecursionError, ValueError, yaml.YAMLError):
        return
    kept = [
        Override.of(word)
        for word in (words if isinstance(words, list) else ())
        if isinstance(word, str) and (key := word.partition("=")[0]) in KEPT_KEYS and not {key, _group(key)} & typed
    ]
    judge = Judge.of(ConfigFiles(), kept, multirun=False)
    for one in kept:
        with suppress(InputError):
            judge.for_hydra(one)
            if not is_interpolation(one.value):
                yield one.word


def _group(key: str) -> str:
    return key.replace("/", ".").partition(".")[0]


def _tracking(header: Header, typed: Mapping[str, Override]) -> Iterator[str]:
    """Where the run is recorded, which is where it goes on; the store itself is that of the command, never one of a record."""
    choice = typed["tracking"].text if "tracking" in typed else None
    if header.store is None and choice is None:
        yield f"tracking={NoTracking.name}"
    elif header.store is not None and choice in (None, MLflow.name) and "tracking.experiment_name" not in typed:
        yield f"tracking.experiment_name={quote(header.experiment)}"

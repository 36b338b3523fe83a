"""The command line of `action=replay`: the settings of the recorded run, and how the new run is recorded and shown."""

import argparse
from collections.abc import Mapping, Sequence
from contextlib import suppress

from polyexp.base import Component, InputError, cut
from polyexp.cli.recorded_words import recorded_words
from polyexp.cli.values import Override
from polyexp.tracking import MLflow, NoTracking, Tracker, recorded_fit

__all__ = ["replayed_words", "typed_tracker"]

RUN = "action.run"
BESIDE = ("action", "tracking", "report", "quiet", "hydra")  # the first words of the keys that may be typed
OTHERS = "tracking.*, report.*, quiet and hydra.*"


def replayed_words(options: argparse.Namespace, overrides: Sequence[Override]) -> list[str] | None:
    """The overrides of a replay: the recorded settings of the run that `action.run` names, and what is typed.

    Args:
        options: The options that are typed.
        overrides: The overrides that are typed.

    Returns:
        The overrides; None where no replay is typed.

    Raises:
        InputError: The run is not there, its settings cannot be used, or something is typed that would change them.
    """
    typed = {one.key: one for one in overrides}
    if "action" not in typed or (typed["action"].value or "").strip("'\" ") != "replay":
        return None
    _require_nothing_else(options, overrides)
    word = _text(typed, RUN) or ""
    fit = recorded_fit(word, RUN, typed_tracker(overrides))
    return [*recorded_words(fit), *(one.word for one in overrides)]


def typed_tracker(overrides: Sequence[Override]) -> Tracker:
    """The tracker that a command line names, from which recorded runs are read before anything is composed.

    Args:
        overrides: The overrides that are typed.

    Raises:
        InputError: `tracking.uri` is no address of a store.
    """
    typed = {one.key: one for one in overrides}
    choice = _text(typed, "tracking") or MLflow.name
    if choice == MLflow.name:
        uri = _text(typed, "tracking.uri")
        return MLflow(uri=None if uri in (None, "null") else uri)
    with suppress(KeyError, TypeError):  # of a choice that does not exist, or needs settings of its own
        return Component.registry["tracking", choice]()  # type: ignore[return-value]
    return NoTracking()


def _text(typed: Mapping[str, Override], key: str) -> str | None:
    """The value of an override as a text; None where it is not typed."""
    return typed[key].text if key in typed else None


def _require_nothing_else(options: argparse.Namespace, overrides: Sequence[Override]) -> None:
    """Require that nothing is typed that would make it another run than the recorded one, or several."""
    mode = next((one.value for one in overrides if one.key == "hydra.mode"), None)
    if options.multirun or mode == "MULTIRUN":
        raise InputError("`action=replay` runs one recorded run again: leave -m out, and type it once for each run.")
    if options.config_dir or options.config_path or options.config_name:
        raise InputError("`action=replay` takes the settings from the record: leave the options of config files out.")
    for one in overrides:
        if one.key.replace("/", ".").partition(".")[0] not in BESIDE:
            raise InputError(
                f"`action=replay` takes the settings from the record: leave `{cut(one.word)}` out. Beside it there may be "
                f"`{RUN}`, {OTHERS}."
            )

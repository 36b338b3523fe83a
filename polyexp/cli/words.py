"""The words of a command: options, and overrides, which are judged before Hydra sees them."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from hydra._internal.utils import get_args_parser

from polyexp.base import InputError, meant, version
from polyexp.cli.configs import ConfigFiles
from polyexp.cli.judge import Judge
from polyexp.cli.replaying import replayed_words
from polyexp.cli.resumed_run import resuming_words
from polyexp.cli.resumed_sweep import resumed_words
from polyexp.cli.standard_streams import unwritten
from polyexp.cli.values import Override
from polyexp.experiment import all_keys, key_hint
from polyexp.tracking import require_no_typed_credentials

__all__ = ["prepared"]


def prepared(words: Sequence[str], *, again: bool = False) -> list[str]:
    """The words of a command for Hydra: options first, then overrides, with texts in quotes.

    Args:
        words: The words after the name of the program.
        again: Whether they are those of a sweep that is resumed or of a run that is replayed; otherwise `sweep.resume` or
            `action=replay` among them takes them from the record.

    Raises:
        InputError: Where a word is wrong, whatever the values of the others are.
    """
    require_no_typed_credentials(words)
    options = _parsed(words)
    rest = list(words)
    for word in options.overrides:
        rest.remove(word)
    if options.shell_completion:  # whose words are no overrides
        return [*rest, "--", *options.overrides]
    overrides = [Override.of(word) for word in options.overrides]
    if not again and (resumed := resumed_words(options, overrides)):
        return prepared(resumed, again=True)
    if not again and (resuming := resuming_words(options, overrides)):
        return prepared([*rest, *resuming], again=True)
    if not again and (replayed := replayed_words(options, overrides)):
        return prepared([*rest, *replayed], again=True)
    user = Path(options.config_dir) if options.config_dir and os.path.isdir(options.config_dir) else None
    judge = Judge.of(ConfigFiles(user), overrides, multirun=options.multirun)
    judged = [judge.for_hydra(one) for one in overrides]
    return [*rest, "--", *judged] if judged else rest


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    """The options of a command, and its overrides, which may stand among them."""

    def refuse(message: str) -> NoReturn:  # instead of printing the whole usage of Hydra
        raise InputError(f"{message}.{_meant(message)} Settings are typed as key=value; --help lists the options.")

    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign]
    parser.exit = lambda status=0, message=None: sys.exit(status or unwritten())  # type: ignore[method-assign]
    if "--version" in words:  # else git need not be asked for the commit
        parser.formatter_class = argparse.RawDescriptionHelpFormatter  # which leaves the line whole
        parser._option_string_actions["--version"].version = f"polyexp {version.described()}"  # type: ignore[attr-defined]
    return parser.parse_intermixed_args(words)


def _meant(message: str) -> str:
    """The setting that was meant by an option, as other programs have them: `--lr=0.1`."""
    found = re.search(r"unrecognized arguments: -+([A-Za-z][\w.-]*)", message)
    return "" if not found else meant(found[1]) if found[1] in all_keys() else key_hint(found[1], all_keys())

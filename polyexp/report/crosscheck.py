"""The findings of a crosscheck as a table, as sentences and as JSON."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from polyexp.base import counted, save_text
from polyexp.crosscheck import TOLERANCE, Crosscheck, Formulation, ModelCheck

__all__ = ["HEADS", "crosscheck_lines", "crosscheck_rows", "crosscheck_verdict", "write_crosscheck"]


HEADS = ("formulation", "samples", "parameters", "loss", "gradient", "")  # of the table


def crosscheck_rows(found: Crosscheck) -> list[list[str]]:
    """The rows of a table of the largest differences from the reference, with one for each formulation, under `HEADS`."""
    return [
        [one.name, str(one.samples), *map(_shown, (one.params, one.loss, one.gradient)), _remark(one)]
        for one in found.formulations
    ]


def crosscheck_lines(found: Crosscheck) -> list[str]:
    """A line for each check of the model, followed by the notes of the crosscheck."""
    return [*map(_check_line, found.checks), *found.notes]


def crosscheck_verdict(found: Crosscheck) -> str:
    """One sentence that gives the tolerances of the agreement, or what is wrong.

    Failed checks of the model come first, because they explain differences between the formulations.
    """
    if found.agrees:
        compared = [f"{found.tolerance:.2g} in parameters and loss"] if found.steps else []
        within = ", ".join([*compared, f"{TOLERANCE:.2g} in the gradient"])
        few = len(found.formulations) == 1
        agree = "The only formulation agrees" if few else f"All {len(found.formulations)} formulations agree"
        return f"{agree} with the reference to {within}."
    wrong = [f"model={found.model} fails the check that `{one.part}` {one.says}" for one in found.failed_checks]
    if found.differing:
        names = ", ".join(f"{one.name} on {counted(one.samples, 'sample')}" for one in found.differing)
        differ = "differs" if len(found.differing) == 1 else "differ"
        wrong.append(f"{len(found.differing)} of {counted(len(found.formulations), 'formulation')} {differ} ({names})")
    if not found.formulations:
        wrong.append("nothing could be compared")
    return f"{'; '.join(wrong)}."


def write_crosscheck(path: Path, found: Crosscheck) -> None:
    """Write the findings as JSON to `path`; null stands for a number that is not finite."""
    values = {
        "agrees": found.agrees,
        "verdict": crosscheck_verdict(found),
        **asdict(found),
        "tolerances": {
            "params": found.tolerance,
            "loss": found.tolerance,
            "gradient": TOLERANCE,
            "checks": TOLERANCE,
        },
    }
    del values["tolerance"]
    save_text(path, json.dumps(_finite(values), indent=2, allow_nan=False) + "\n")


def _check_line(check: ModelCheck) -> str:
    answer = {True: "passed", False: "FAILED", None: "not tried"}[check.passed]
    number = "" if check.difference is None else f" (largest difference {_shown(check.difference)})"
    note = f" ({check.note})" if check.note else ""
    return f"`{check.part}` {check.says}: {answer}{number}{note}"


def _remark(one: Formulation) -> str:
    return "" if one.agrees else f"DIFFERS: {one.note}".removesuffix(": ")


def _shown(number: float) -> str:
    return "-" if math.isnan(number) else f"{number:.1e}"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""The findings of a crosscheck as a table, as sentences and as JSON."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from polyexp.crosscheck import TOLERANCE, Crosscheck, Formulation, ModelCheck

__all__ = ["crosscheck_lines", "crosscheck_table", "crosscheck_verdict", "write_crosscheck"]


def crosscheck_table(found: Crosscheck) -> Table:
    """A table of the largest differences from the reference, with a row for each formulation."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("formulation", no_wrap=True)
    for head in ("samples", "parameters", "loss", "gradient"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("")
    for one in found.formulations:
        numbers = (_shown(number) for number in (one.params, one.loss, one.gradient))
        table.add_row(one.name, str(one.samples), *numbers, _remark(one))
    return table


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
        return f"All {len(found.formulations)} formulations agree with the reference to {within}."
    wrong = [f"model={found.model} fails the check that `{one.part}` {one.says}" for one in found.failed_checks]
    if found.differing:
        names = ", ".join(f"{one.name} on {one.samples} samples" for one in found.differing)
        wrong.append(f"{len(found.differing)} of {len(found.formulations)} formulations differ ({names})")
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
    path.write_text(json.dumps(_finite(values), indent=2, allow_nan=False) + "\n", encoding="utf-8")


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

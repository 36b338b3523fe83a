"""What a crosscheck has found, as a table, in sentences and as JSON."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from polyexp.crosscheck import TOLERANCE, Crosscheck, Formulation, Promise

__all__ = ["crosscheck_lines", "crosscheck_table", "crosscheck_verdict", "write_crosscheck"]


def crosscheck_table(found: Crosscheck) -> Table:
    """A row for each formulation with its largest differences from the reference."""
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
    """What the model promises, a line each, and what else is to be said."""
    return [*map(_kept, found.promises), *found.notes]


def crosscheck_verdict(found: Crosscheck) -> str:
    """One sentence: agreement within which tolerances, or what is wrong, the model's parts first."""
    if found.agrees:
        compared = [f"{found.tolerance:.2g} in parameters and loss"] if found.steps else []
        within = " and ".join([*compared, f"{TOLERANCE:.2g} in the gradient"])
        return f"All {len(found.formulations)} formulations agree with the reference to {within}."
    wrong = [f"`{one.part}` of model={found.model} is wrong: not true that it {one.says}" for one in found.broken]
    if found.differing:
        names = ", ".join(f"{one.name} on {one.samples} samples" for one in found.differing)
        wrong.append(f"{len(found.differing)} of {len(found.formulations)} formulations differ ({names})")
    if not found.formulations:
        wrong.append("nothing could be compared")
    return f"{'; '.join(wrong)}."


def write_crosscheck(path: Path, found: Crosscheck) -> None:
    """Write crosscheck.json; null stands for a number that is not finite."""
    values = {
        "agrees": found.agrees,
        "verdict": crosscheck_verdict(found),
        **asdict(found),
        "tolerances": {
            "params": found.tolerance,
            "loss": found.tolerance,
            "gradient": TOLERANCE,
            "promises": TOLERANCE,
        },
    }
    del values["tolerance"]
    path.write_text(json.dumps(_finite(values), indent=2, allow_nan=False) + "\n")


def _kept(promise: Promise) -> str:
    answer = {True: "yes", False: "NO", None: "not tried"}[promise.kept]
    number = "" if promise.difference is None else f" (largest difference {_shown(promise.difference)})"
    note = f" ({promise.note})" if promise.note else ""
    return f"`{promise.part}` {promise.says}: {answer}{number}{note}"


def _remark(one: Formulation) -> str:
    return "" if one.agrees else f"DIFFERS {one.note}".strip()


def _shown(number: float) -> str:
    return "-" if math.isnan(number) else f"{number:.1e}"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

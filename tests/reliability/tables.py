"""The tables of docs/reliability.md: what their rows and columns are made of."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["TABLES", "Table"]

Case = dict[str, Any]
Cell = Callable[[Sequence[Case]], str]


@dataclass(frozen=True)
class Table:
    """A table with a row for each group of cases.

    Args:
        title: What is above it.
        keys: What the cases of a row have in common, by the heads of the first columns.
        columns: The text of the other cells, by the heads of their columns.
        of: The table that the cases name, where it is not this one.
    """

    title: str
    keys: dict[str, str]
    columns: dict[str, Cell]
    of: str = ""

    def markdown(self, cases: Sequence[Case]) -> str:
        """The table in Markdown, the last row of which is for all cases."""
        rows = defaultdict(list)
        for case in cases:
            rows[tuple(str(case.get(key, "")) for key in self.keys.values())].append(case)
        lines = [
            f"| {' | '.join([*self.keys, *self.columns])} |",
            f"|{'---|' * len(self.keys)}{'--:|' * len(self.columns)}",
        ]
        lines += [self._row(key, group) for key, group in sorted(rows.items())]
        if len(rows) > 1:
            lines.append(self._row(("all", *[""] * (len(self.keys) - 1)), cases))
        return "\n".join(lines)

    def _row(self, key: Sequence[str], cases: Sequence[Case]) -> str:
        return f"| {' | '.join([*key, *(cell(cases) for cell in self.columns.values())])} |"


def _number(cases: Sequence[Case]) -> str:
    return str(len(cases))


def _passed(cases: Sequence[Case]) -> str:
    return str(sum(case["passed"] for case in cases))


def _total(name: str, otherwise: int = 0) -> Cell:
    return lambda cases: str(sum(case.get(name, otherwise) for case in cases))


def _largest(name: str, form: str = "") -> Cell:
    def cell(cases: Sequence[Case]) -> str:
        values = [case[name] for case in cases if name in case]
        return format(max(values), form) if values else ""

    return cell


def _all(name: str) -> Cell:
    return lambda cases: ", ".join(map(str, sorted({case[name] for case in cases if name in case})))


def of_table(name: str, cases: Sequence[Case]) -> Iterator[Case]:
    """The cases of a table, of those that were not skipped."""
    wanted = TABLES[name].of or name
    return (case for case in cases if not case["skipped"] and case.get("table", "stores") == wanted)


TABLES = {
    "stores": Table(
        "",
        {"What fails": "fault", "When": "when"},
        {
            "Cases": _number,
            "Runs": _total("runs", 1),
            "As promised": _passed,
            "Exit code": _all("exit"),
            "Lines on stderr": _largest("lines"),
            "Runs lost": _total("lost"),
            "Runs doubled": _total("doubled"),
            "Rows wrong": _total("wrong"),
        },
    ),
    "interruptions": Table(
        "Interrupted at a random moment",
        {"Signal": "fault", "When": "when"},
        {
            "Cases": _number,
            "As promised": _passed,
            "Exit code": _all("exit"),
            "Before the run": _total("before"),
            "Interrupted": _total("interrupted"),
            "Fit had ended": _total("finished"),
            "Lines after it": _largest("lines"),
            "Seconds until it had ended": _largest("seconds", ".1f"),
            "Lines of journals lost": _total("lost"),
            "Steps missing or twice": _total("wrong"),
            "Resumed to the bit": _total("identical"),
        },
    ),
    "ways": Table(
        "The same cases by backend and loop",
        {"Backend": "backend", "Loop": "loop"},
        {
            "Cases": _number,
            "As promised": _passed,
            "Resumed": _total("resumed"),
            "Of these from a checkpoint": _total("from_checkpoint"),
            "To the bit": _total("identical"),
        },
        of="interruptions",
    ),
    "sweeps": Table(
        "Sweeps interrupted by Ctrl-C on a terminal",
        {"Six jobs, computed as": "fault", "When": "when"},
        {
            "Cases": _number,
            "As promised": _passed,
            "Exit code": _all("exit"),
            "Before the sweep": _total("before"),
            "Interrupted": _total("interrupted"),
            "Jobs with a result then": _total("jobs"),
            "Rows of finished runs after resuming": _total("rows"),
            "Jobs the same to the bit": _total("identical"),
        },
    ),
    "elsewhere": Table(
        "Resumed elsewhere",
        {"Interrupted with": "fault", "Resumed with": "when"},
        {
            "Cases": _number,
            "As promised": _passed,
            "Largest difference": _largest("difference", ".1e"),
            "That rounding allows": _largest("allowed", ".1e"),
            "To the bit": _total("identical"),
        },
    ),
    "refusals": Table(
        "Resumed as another run",
        {"What is another one": "fault"},
        {"Cases": _number, "As promised": _passed, "Exit code": _all("exit"), "Files changed": _total("wrong")},
    ),
    "checkpoints": Table(
        "Checkpoints that fail",
        {"What happens": "fault", "Where": "when"},
        {
            "Times": _total("runs", 1),
            "As promised": _total("right"),
            "The old one is read": _total("old"),
            "The new one": _total("new"),
            "There is none yet": _total("none"),
        },
    ),
    "replays": Table(
        "Replayed",
        {"Experiment": "fault", "Where": "when"},
        {
            "Cases": _number,
            "As promised": _passed,
            "Exit code": _all("exit"),
            "To the bit": _total("identical"),
            "Kernel named": _total("named"),
        },
    ),
}

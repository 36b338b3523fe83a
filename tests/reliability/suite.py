"""`make test-reliability`: all of tests/reliability, or a seeded sample of it; with REPORT=1 it writes docs/reliability.md.

As a pytest plugin this module draws the sample, which has of each test as many cases as its marker `sample` says, one where it
has none; and collects what the fixture `facts` notes of every case.
"""

import argparse
import random
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kernels import last_commit
from tests.reliability.page import TEXT
from tests.reliability.tables import TABLES, of_table

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
WORKERS = 4  # which wait most of the time


def main() -> int:
    """Run the suite, and return the exit code of pytest."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.suite", description=__doc__.splitlines()[0])
    parser.add_argument("--sample", action="store_true", help="a sample of at most eight minutes on two cores")
    parser.add_argument("--seed", default=str(last_commit()), help="of the sample and of all random moments")
    parser.add_argument("--report", action="store_true", help="write docs/reliability.md")
    arguments = parser.parse_args()
    print(f"{'A sample' if arguments.sample else 'All'} of tests/reliability, SEED={arguments.seed}", flush=True)
    options = [f"--seed={arguments.seed}"]
    options += ["--sample"] * arguments.sample + ["--report"] * arguments.report
    plugin = ["-p", "tests.reliability.suite", "-p", "no:cacheprovider", "-n", str(WORKERS), "--dist", "worksteal"]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "reliability", "tests/reliability", *plugin, *options]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


# The plugin


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sample", action="store_true", help="run a random part of the tests")
    parser.addoption("--seed", default="0", help="of this choice, and of random moments")
    parser.addoption("--report", action="store_true", help="write docs/reliability.md")


@pytest.hookimpl(trylast=True)  # after the markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("sample"):
        kept = set(_sample(items, config.getoption("seed")))
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = [item for item in items if item in kept]


def _sample(items: list[pytest.Item], seed: str) -> Iterator[pytest.Item]:
    functions = defaultdict(list)
    for item in items:
        marker = item.get_closest_marker("sample")
        number = marker.args[0] if marker else 1
        if number:
            functions[item.nodeid.partition("[")[0], number].append(item)
    for (name, number), cases in functions.items():
        yield from random.Random(f"{seed} {name}").sample(cases, min(number, len(cases)))


_cases: list[dict[str, Any]] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        case = {"fault": report.nodeid, "when": "", **dict(report.user_properties)}
        skipped = report.outcome == "skipped"
        reason = (
            str(report.longrepr[2]).removeprefix("Skipped: ") if skipped and isinstance(report.longrepr, tuple) else ""
        )
        _cases.append({**case, "passed": report.outcome == "passed", "skipped": skipped, "reason": reason})


def pytest_terminal_summary(config: pytest.Config) -> None:
    if _cases:
        tables = {name: _table(name) for name in TABLES}
        print(*filter(None, tables.values()), sep="\n\n", end="\n\n")
        if config.getoption("report"):
            facts = "\n".join(_facts(config.getoption("sample")))
            others = "\n\n".join(one for name, one in tables.items() if one and name != "stores")
            PAGE.write_text(TEXT.format(table=tables["stores"], tables=others, facts=facts), encoding="utf-8")


def _table(name: str) -> str:
    """A table with its title; empty where it has no cases."""
    one, cases = TABLES[name], list(of_table(name, _cases))
    title = f"### {one.title}\n\n" if one.title else ""
    return title + one.markdown(cases) if cases else ""


def _facts(is_sample: bool) -> Iterator[str]:
    if is_sample:
        yield "- The table is of a sample of the cases (`SAMPLE=1`)."
    for case in _cases:
        if "fact" in case:
            yield f"- {case['fact']}"
    reasons = Counter(case["reason"] for case in _cases if case["skipped"])
    if reasons:
        listed = "; ".join(f"{reason} ({number})" for reason, number in sorted(reasons.items()))
        yield f"- {reasons.total()} cases were left out on the machine that made the tables: {listed}."


if __name__ == "__main__":
    sys.exit(main())

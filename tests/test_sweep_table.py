"""The manifest and the table of a sweep: what is written is read again, and what is damaged is refused in words."""

import csv
import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import polyexp as p
from polyexp.base import InputError
from polyexp.sweep import (
    NOT_RUN,
    JobRow,
    PlannedJob,
    SweepTable,
    job_line,
    read_manifest,
    read_table,
    summary,
    write_manifest,
    write_table,
)
from polyexp.sweep.rows import as_cell, as_text

HASH, ID = "0123456789abcdef", "0123456789abcdef" * 2
RATE = "optimizer.learning_rate"
HOSTILE = [
    "a\nb",
    '"',
    "a,b",
    "\x00",
    "\x1b[31m",
    "\udc80",
    "=1+1",
    "'=1+1",
    "-1",
    " @x",
    "\u202e",
    "größe",
    "\\",
    "\r\n",
]
texts = st.text(alphabet=st.characters(), max_size=20) | st.sampled_from(HOSTILE)
numbers = st.none() | st.floats(0, allow_infinity=False, allow_nan=False)
anew = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def rows_of(*lines):
    return SweepTable(tuple(JobRow(number, *line) for number, line in enumerate(lines)))


def in_file(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


# Files


@anew
@given(st.lists(st.lists(texts, max_size=3), min_size=1, max_size=5))
def test_a_manifest_is_read_as_it_was_written(tmp_path, overrides):
    jobs = tuple(PlannedJob(number, HASH, tuple(words)) for number, words in enumerate(overrides))
    path = write_manifest(tmp_path, jobs)
    assert read_manifest(tmp_path) == jobs
    assert len(path.read_bytes().splitlines()) == len(jobs) + 1
    assert path.read_bytes().isascii()


@anew
@given(
    st.lists(
        st.builds(
            JobRow,
            number=st.just(0),
            overrides=st.lists(texts | st.builds("seed={}".format, texts), max_size=3).map(tuple),
            outcome=st.sampled_from(["CONVERGED", "DIVERGED", "FAILED", "KILLED", "FINISHED", NOT_RUN]),
            loss=numbers,
            excess=numbers,
            steps=st.none() | st.integers(0, 2**63 - 1),
            run_id=st.sampled_from(["", ID]),
            reason=texts,
            reused=st.booleans(),
        ),
        max_size=5,
    )
)
def test_a_table_is_read_as_it_was_written(tmp_path, rows):
    table = SweepTable(tuple(replace(row, number=number) for number, row in enumerate(rows)))
    path = write_table(tmp_path, table)
    assert read_table(tmp_path) == table
    for row in in_file(path)[1:]:
        for cell in row:
            assert cell.isprintable()
            assert not re.match(r"\s*[=+@]", cell)


def test_the_columns_of_a_table(tmp_path):
    table = rows_of(
        ((f"{RATE}=1e-6", "seed=0", "quiet=true"), "MAX_STEPS", 0.1 + 0.2, 1e-300, 4000, ID),
        ((f"{RATE}=-=x", "seed=0", "quiet=true"), "FAILED", None, None, None, "", "=cmd\nnext \x1b[0m", True),
    )
    heads = ["number", "outcome", "loss", "excess", "steps", RATE, "run_id", "reused", "reason", "overrides"]
    first = ["0", "MAX_STEPS", "0.30000000000000004", "1e-300", "4000", "1e-6", ID, "false", ""]
    second = ["1", "FAILED", "", "", "", "'-=x", "", "true", r"'=cmd next \x1b[0m"]
    overrides = [f'["{RATE}={value}", "seed=0", "quiet=true"]' for value in ("1e-6", "-=x")]
    assert in_file(write_table(tmp_path, table)) == [heads, [*first, overrides[0]], [*second, overrides[1]]]


@given(texts.filter(str.isprintable))
def test_the_text_of_a_cell_is_the_one_that_was_written(text):
    assert as_text(as_cell(text)) == text


DAMAGE = {
    "a number": (b"\n1,", b"\nx,", "Line 3 of {path} cannot be used: `number` must be a whole number from 0 to"),
    "a number twice": (b"\n1,", b"\n0,", "Line 3 of {path} cannot be used: the numbers do not ascend, got 0."),
    "a large number": (b"\n1,", b"\n100000,", "`number` must be a whole number from 0 to 99999, got 100000."),
    "overrides": (b'"[""seed=1', b'"[[""seed=1', "`overrides` must be a list of texts as JSON"),
    "deep overrides": (b'"[""seed=1""]"', b"[" * 90_000, "`overrides` must be a list of texts as JSON"),
    "a quote": (b'"[""seed=1', b'"x"[""seed=1', "Line 3 of {path} cannot be used: it is no line of CSV in UTF-8."),
    "no UTF-8": (b"seed=1", b"\xff", "it is no line of CSV in UTF-8."),
    "a column": (b"\n1,", b"\n1,1,", "columns in place of"),
    "a line": (b"\n1,", b"\n\n1,", "Line 3 of {path} cannot be used: it has 0 columns in place of"),
    "its end": (b'seed=1""]"\r\n', b'seed=1""]"', "Line 3 of {path} cannot be used: its end is missing."),
    "a head": (b"overrides", b"override", "Line 1 of {path} cannot be used: it must have one column `overrides`."),
    "a long line": (b"\n1,", b"\n1" + b"1" * 2**20, "Line 3 of {path} cannot be used: it is too long."),
}
damage = pytest.mark.parametrize(("before", "after", "sentence"), DAMAGE.values(), ids=DAMAGE)
JOBS = tuple(PlannedJob(number, HASH, (f"seed={number}",)) for number in (0, 1))


def damaged(path, before, after):
    content = path.read_bytes()
    assert content.count(before) == 1
    path.write_bytes(content.replace(before, after))


@damage
def test_a_damaged_manifest_is_refused(tmp_path, before, after, sentence):
    path = write_manifest(tmp_path, JOBS)
    damaged(path, before, after)
    with pytest.raises(InputError) as refused:
        read_manifest(tmp_path)
    assert sentence.format(path=path) in str(refused.value)
    assert "sweep.skip_finished=true" in str(refused.value)


@damage
def test_a_damaged_table_is_refused(tmp_path, before, after, sentence):
    path = write_table(tmp_path, SweepTable.of(JOBS, []))
    damaged(path, before, after)
    with pytest.raises(InputError) as refused:
        read_table(tmp_path)
    assert sentence.format(path=path) in str(refused.value)
    assert "sweep.resume=" in str(refused.value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"outcome": "GOOD"}, "`outcome` must be one of"),
        ({"loss": float("inf")}, "`loss` must be a finite number"),
        ({"excess": float("nan")}, "`excess` must be a finite number"),
        ({"steps": 2**63}, "`steps` must be a whole number from 0 to"),
        ({"number": -1}, "`number` must be a whole number from 0 to 99999"),
        ({"run_id": "../x"}, "`run_id` must be 32 hexadecimal digits or empty"),
    ],
)
def test_a_row_holds_what_is_allowed(change, sentence):
    with pytest.raises(InputError, match=re.escape(sentence)):
        replace(JobRow(0, (), "MAX_STEPS"), **change)


def test_a_manifest_without_a_job_is_refused(tmp_path):
    with pytest.raises(InputError, match="it has no jobs\\.csv"):
        read_manifest(tmp_path)
    write_manifest(tmp_path, [])
    with pytest.raises(InputError, match="it has no jobs\\."):
        read_manifest(tmp_path)
    write_manifest(tmp_path, [JOBS[1]])
    with pytest.raises(InputError, match="job 0 is missing"):
        read_manifest(tmp_path)
    (tmp_path / "jobs.csv").write_bytes(b"")
    with pytest.raises(InputError, match="it is empty"):
        read_manifest(tmp_path)
    with pytest.raises(InputError, match=r"sweep\.csv cannot be read \(No such file or directory\)"):
        read_table(tmp_path)


def test_long_overrides_are_refused_before_they_are_written(tmp_path):
    with pytest.raises(InputError, match="at most 100000 characters"):
        write_manifest(tmp_path, [PlannedJob(0, HASH, ("x" * 100_000,))])
    assert list(tmp_path.iterdir()) == []


# The table


def test_a_table_has_a_row_for_each_job():
    row = JobRow(1, ("seed=1",), "MAX_STEPS", 0.5)
    assert SweepTable.of(JOBS, [replace(row, loss=0.7), row]).rows == (JobRow(0, ("seed=0",), NOT_RUN), row)


def test_the_row_of_a_result():
    samples, loop = p.Samples.of([-1, 0, 1], [1, 0, 1]), p.Manual(steps=300)
    optimizer = p.GradientDescent([0.1, 1e10], allow_divergence=True)
    result = p.fit(samples, p.PowerSeries(degree=2), loop=loop, optimizer=optimizer, backend=p.NumPy())
    good, bad = (JobRow.of(number, ["seed=0"], one, ID) for number, one in enumerate(result))
    values = (float(result[0].loss), float(result[0].excess), 300)
    assert good == JobRow(0, ("seed=0",), "MAX_STEPS", *values, ID)
    assert (bad.outcome, bad.diverged, bad.has_result, bad.failed) == ("DIVERGED", True, True, False)


def test_the_best_come_first_and_are_counted():
    losses = [0.5, 0.1, None, 0.1, 1e-9, 2.0]
    outcomes = ["MAX_STEPS", "CONVERGED", "FAILED", "STALLED", "DIVERGED", NOT_RUN]
    table = rows_of(*(((f"seed={n}",), o, v) for n, (o, v) in enumerate(zip(outcomes, losses, strict=True))))
    assert [row.number for row in table.best_first] == [1, 3, 0]
    counts = {"sweep/jobs": 6, "sweep/finished": 4, "sweep/failed": 1, "sweep/diverged": 1, "sweep/best": 0.1}
    assert table.metrics == counts
    assert "sweep/best" not in SweepTable(table.rows[2:3]).metrics


def test_the_label_of_a_job_is_what_varies():
    words = ("model=legendre", f"{RATE}=1.2589254117941661e-06", "seed=12345678901", "quiet=true")
    table = rows_of((words, "MAX_STEPS"), (("model=power_series", f"{RATE}=2", "seed=1", "quiet=true"), "MAX_STEPS"))
    assert table.keys == ("model", RATE, "seed")
    assert table.label(table.rows[0]) == "legendre lr=1.25893e-06 seed=12345678901"
    assert rows_of(((), "MAX_STEPS")).label(JobRow(0, (), "MAX_STEPS")) == "job 0"


# The terminal


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (JobRow(0, (), "MAX_STEPS", 0.0012345), "[  17/1000] lr=1e-06 loss 0.001234 MAX_STEPS"),
        (JobRow(0, (), "CONVERGED", 0.0, reused=True), "[  17/1000] lr=1e-06 loss 0.000 CONVERGED (reused)"),
        (JobRow(0, (), "FAILED", reason="no\nspace"), "[  17/1000] lr=1e-06 FAILED: no space"),
        (
            JobRow(0, (), "FAILED", reason="a long reason " * 9),
            "[  17/1000] lr=1e-06 FAILED: a long reason a long reason a lon...",
        ),
    ],
)
def test_the_line_of_a_job(row, line):
    assert job_line(17, 1000, "lr=1e-06", row) == line


@given(texts.map(lambda text: text * 20), texts, st.integers(1, 100_000))
def test_the_line_of_a_job_is_short(label, reason, total):
    line = job_line(1, total, label, JobRow(0, (), "FAILED", reason=reason))
    assert len(line.encode()) <= 80
    assert line.isprintable()


def test_a_sweep_of_a_thousand_prints_less_than_100_kilobytes():
    reason = "数" * 300 + " \x1b[31m" * 300
    table = rows_of(*((("seed=" + "数" * 500 + str(n),), "FAILED", None, None, None, ID, reason) for n in range(1000)))
    lines = "".join(job_line(n + 1, 1000, table.label(row), row) + "\n" for n, row in enumerate(table.rows))
    parts = [
        part if isinstance(part, str) else "".join(c for one in part for c in one.cells) for part in summary(table, "x")
    ]
    assert len(lines.encode()) + len("".join(parts).encode()) < 100_000
    assert [parts[0], parts[1], parts[-1]] == [
        "1000 jobs: 0 finished, 1000 failed.",
        "The 1000 jobs that failed:",
        "`python -m polyexp x` runs the jobs without a result.",
    ]


def test_the_summary_shows_the_best_and_the_failures():
    done = [((f"{RATE}={n}", "seed=0"), "MAX_STEPS", 1 / n, 0.5 / n, 100) for n in range(1, 13)]
    failed, rest = ((f"{RATE}=99", "seed=0"), "FAILED", None, None, None, "", "no space"), (("seed=0",), NOT_RUN)
    counts, best, columns, failures, reasons, advice = summary(rows_of(*done, failed, rest), "sweep.resume=s")
    assert advice == "`python -m polyexp sweep.resume=s` runs the jobs without a result."
    assert counts == "14 jobs: 12 finished, 1 failed, 1 not run."
    assert (best, failures) == ("The best 10 jobs:", "The 1 job that failed:")
    assert [column.head for column in columns] == ["job", RATE, "loss", "excess", "steps"]
    first = [column.cells[0] for column in columns]
    assert first == ["11", "12", "0.0833333", "0.0416667", "100"]
    assert [len(column.cells) for column in columns] == [10] * 5
    assert [list(column.cells) for column in reasons] == [["12"], ["lr=99"], ["FAILED"], ["no space"]]

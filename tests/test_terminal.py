"""What is on terminals of different widths: whole words, something at once, and no control characters of others."""

import io
import re

import pytest

import polyexp as p
from polyexp.base import printable
from polyexp.cli.starting import LINE
from polyexp.report import Terminal
from polyexp.report.stream import Stream, wrapped
from polyexp.report.tables import Column, columns_of, plain_table, tables
from tests.helpers.commands import loaded_by, run, run_in_process
from tests.helpers.figures import Run
from tests.helpers.terminal import run_in_process_on_terminal, run_on_terminal, screen

SHORT = ("tracking=none", "backend=numpy", "report.pictures=none", "loop.steps=30", "loop.log_every=10")
WORDS = {
    "fit": ("model=legendre_series",),
    "closed form": ("loop=closed_form", "loop.steps=1000000000000000000"),
    "predict": ("action=predict", "loop.steps=4000"),
    "crosscheck": ("action=crosscheck", "model.degree=2"),
    "refusal": ("model.degree=abc", "optimizer.learning_rate=-1"),
    "help": ("--help",),
}
COLUMNS = (40, 80, 200)


def words_of(text):
    """The words of a text but for rules of tables, bars, times and the folder of the run."""
    return {word for word in text.split() if not re.search(r"[─━]|outputs/|computed|\d:\d\d|%$", word)}


@pytest.mark.parametrize("what", WORDS)
def test_words_and_numbers_are_whole_at_every_width(what, tmp_path):
    """What a pipe gets, which wraps nothing, is on a terminal of any width, in lines that fit."""
    command = (*SHORT, *WORDS[what])
    piped = run_in_process(*command, cwd=tmp_path)
    wanted = words_of(piped.out + piped.err)
    assert len(wanted) > 5
    for columns in COLUMNS:
        code, out, _ = run_in_process_on_terminal(*command, cwd=tmp_path, columns=columns)
        lines = [line for line in screen(out) if line]
        assert code == piped.code
        assert [
            line for line in lines if len(line) > columns and not re.fullmatch(r"\(?`[^`]+`\S*|\S+", line.strip())
        ] == []
        assert wanted - words_of("\n".join(lines)) == set(), columns


def test_commands_and_addresses_can_be_copied_from_a_terminal_of_80_columns(tmp_path, new_store):
    new_store(tmp_path / "outputs" / "mlflow.db")
    command = ("backend=numpy", "loop.steps=2000000", "model=legendre_series", "optimizer.learning_rate=1e-6")
    interrupted = "\n".join(
        screen(run_on_terminal(*command, "tracking=none", cwd=tmp_path, until="Loss at", columns=80).out)
    )
    assert re.search(r"^`python -m polyexp resume=outputs/\S+`\.$", interrupted, re.MULTILINE)
    recorded = "\n".join(screen(run_in_process_on_terminal("loop.steps=20", *SHORT[1:], cwd=tmp_path, columns=80).out))
    server = r"^`MLFLOW_\w+=false mlflow server --workers 1 --backend-store-uri sqlite:///\S+`$"
    assert re.search(server, recorded, re.MULTILINE)
    assert re.search(r"^http://127.0.0.1:5000/#/experiments/\d+/runs/\w{32}\?workflowType=\w+$", recorded, re.MULTILINE)


def test_words_that_are_typed_stay_together():
    text = "It would go on: type `a b=c d` and `e`, or leave it."
    assert wrapped(text, 24).split("\n") == ["It would go on: type", "`a b=c d` and `e`, or", "leave it."]
    assert wrapped(text, 10).split("\n")[2:4] == ["type", "`a b=c d`"]
    assert wrapped("a `b c", 4) == "a `b\nc"


def test_a_pipe_gets_whole_lines(tmp_path):
    piped = run(*SHORT, "model=legendre_series", cwd=tmp_path, env={"COLUMNS": "40"})
    assert any(line.startswith("learning_rate=1e-06 is stable") and len(line) > 120 for line in piped.out.splitlines())


# The first moments


def test_something_is_there_at_once_and_goes(tmp_path):
    code, out, _ = run_on_terminal(*SHORT, cwd=tmp_path)
    assert code == 0
    assert out.startswith(LINE)
    lines = screen(out)
    assert lines[0].startswith("Fitting power_series to 4000 samples of sin")
    assert not any(LINE in line for line in lines)


def test_a_refusal_erases_the_line_too(tmp_path):
    code, out, _ = run_on_terminal("model=nothing", cwd=tmp_path)
    assert code == 2
    assert out.startswith(LINE)
    assert screen(out)[0].startswith("polyexp: `model` must be one of")


@pytest.mark.parametrize(("words", "env"), [(("quiet=true",), {}), ((), {"TERM": "dumb"})])
def test_where_the_line_is_not(words, env, tmp_path):
    assert LINE not in run_on_terminal(*SHORT, *words, cwd=tmp_path, env=env).out
    assert LINE not in run(*SHORT, *words, cwd=tmp_path).out


def test_the_line_needs_no_library():
    assert loaded_by("import polyexp.__main__") == []


def test_the_jobs_of_a_sweep_are_checked_with_a_bar(tmp_path):
    code, out, _ = run_on_terminal("-m", *SHORT, "seed=0,1,2", cwd=tmp_path)
    assert code == 0
    assert "Checking 3 jobs" in re.sub(r"\x1b\[[\d;]*m", "", out)
    assert not any("Checking" in line for line in screen(out))
    assert "Checking" not in run("-m", *SHORT, "seed=0,1,2", cwd=tmp_path).err


# What libraries write


def test_no_library_logs_while_it_makes_its_cache(tmp_path):
    """matplotlib says that it has made a new list of fonts, where there is none."""
    (tmp_path / "cache").mkdir()
    words = ("tracking=none", "backend=numpy", "loop.steps=30")
    ended = run(*words, cwd=tmp_path, env={"MPLCONFIGDIR": str(tmp_path / "cache")})
    assert (ended.code, ended.err) == (0, "")
    assert list((tmp_path / "cache").iterdir())
    assert "HYDRA" not in ended.out
    assert "font" not in ended.out


# Names of others


@pytest.mark.parametrize("name", ["a\x1b[31mb\x07", "tab\tand\nline", "x" * 500])
def test_control_characters_of_names_are_escaped(name, tmp_path, capsys):
    samples = p.Samples.of([0.0, 1.0], [1.0, 2.0], name=name)
    its = Run(samples, p.PowerSeries(degree=1), p.Manual(steps=2))
    with Terminal(tmp_path) as terminal:
        terminal.begin(its.forecast, "numpy")
        terminal.warn(f"something about {name}")
        terminal.print_table([Column("name", [name])])
        terminal.summary(its.result, its.forecast)
    shown = capsys.readouterr()
    first, *_ = shown.out.splitlines()
    assert first == f"Fitting power_series to 2 samples of {shortened(printable(name))} on numpy"
    for text in (shown.out, shown.err, (tmp_path / "polyexp.log").read_text()):
        assert all(line.isprintable() for line in text.splitlines())


def shortened(text):
    return text if len(text) <= 80 else f"{text[:77]}..."


@pytest.mark.parametrize(
    ("rows", "numeric"),
    [
        ([("w0", "1.5", "2"), ("w10", "-1.25e-3", "")], False),
        ([("0", "1.5", "-2"), ("10", "-1.25e-3", "3")], True),
        ([("日本", "x", ""), ("e\x1b[1m", "ä", "")], False),
        ([], False),
    ],
)
def test_a_table_in_a_file_is_that_of_rich(rows, numeric):
    columns, file = columns_of(("parameter", "value", "in powers of x"), rows, numeric=numeric), io.StringIO()
    stream = Stream(file=file)
    for table in tables(columns, stream.width):
        stream.print(table, markup=False, highlight=False)
    assert f"{plain_table(columns, stream.width)}\n" == file.getvalue()
    assert plain_table(columns, 20) is None


def test_a_log_alone_gets_what_is_printed_elsewhere_too(tmp_path, capsys):
    logs = []
    for log_only in (False, True):
        with Terminal(tmp_path, log_only=log_only) as terminal:
            terminal.print("a text with :smile:")
            terminal.print_table([Column("a", ["1"])])
            terminal.warn("it is slow")
        printed = capsys.readouterr()
        assert (printed.out == "", printed.err == "") == (log_only, log_only)
        assert terminal.warnings == ["it is slow"]
        logs.append((tmp_path / "polyexp.log").read_text())
        (tmp_path / "polyexp.log").unlink()
    assert logs[0] == logs[1]
    assert logs[0].startswith("a text with :smile:\n")

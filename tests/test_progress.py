"""Progress: the bar of a fit on a terminal, plain lines elsewhere, and the jobs of a sweep."""

import io
import re
from contextlib import redirect_stdout

import numpy as np
import pytest
from rich.console import Console

import polyexp as p
from polyexp.report import Terminal
from polyexp.report.progress_bar import DisplayInterval, FitBar, JobCounter, fit_status, has_bars, jobs_line
from polyexp.report.stream import Stream
from tests.helpers.terminal import run_on_terminal, screen

FIT = ("backend=numpy", "tracking=none", "problem.num_samples=50", "model.degree=3", "optimizer.learning_rate=1e-4")
LONG = (*FIT, "loop.steps=1000000000", "loop.log_every=500")
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
BAR = re.compile(r"Fitting [━╸╺ ]+\d+% loss [\d.e-]+ +[\d.e+]+ steps/s +.* left")


# A fit on a terminal


def test_ctrl_c_takes_the_bar_away_and_gives_the_cursor_back(tmp_path):
    code, out, _ = run_on_terminal(*LONG, cwd=tmp_path, until="left", columns=200)
    assert code == 130
    assert BAR.search(re.sub(r"\x1b\[[\d;]*m", "", out))
    assert out.count(HIDE) == out.count(SHOW) == 1
    assert out.rindex(SHOW) > out.rindex(HIDE)
    left = [line for line in screen(out.replace("^C", "")) if line]
    assert left[-1] == "polyexp: interrupted."
    assert left[0].startswith("Fitting power_series to 50 samples")
    assert left[-2].startswith("INTERRUPTED after ")
    steps = [re.fullmatch(r"Loss at +(\d+) iteration: \S+", line)[1] for line in left[2:-2]]
    assert steps == [str(500 * (k + 1)) for k in range(len(steps))]  # every line is there, and complete
    (log,) = tmp_path.rglob("polyexp.log")
    assert log.read_text().splitlines()[2:] == left[2:-1]


def test_without_colours_the_bar_is_plain(tmp_path):
    code, out, _ = run_on_terminal(*LONG, cwd=tmp_path, until="left", env={"NO_COLOR": "1"})
    assert code == 130
    assert BAR.search(out)
    assert not re.search(r"\x1b\[[\d;]*m", out.partition("Loss at")[2])


def test_a_dumb_terminal_gets_plain_lines(tmp_path):
    code, out, _ = run_on_terminal(*LONG, cwd=tmp_path, until="Loss at", env={"TERM": "dumb"})
    assert code == 130
    assert "\x1b" not in out
    assert "steps/s" not in out


def test_quiet_is_quiet_on_a_terminal(tmp_path):
    short = (*FIT, "loop.steps=30000", "problem.num_samples=1200000", "quiet=true")
    assert run_on_terminal(*short, cwd=tmp_path) == (0, "", "")


def test_a_pipe_gets_plain_lines(bare_cli):
    ended = bare_cli(*FIT, "loop.steps=3000", "loop.log_every=1")
    assert (ended.code, ended.err) == (0, "")
    assert "\x1b" not in ended.out
    steps = re.findall(r"^Loss at +(\d+) iteration: \S+$", ended.out, re.MULTILINE)
    assert steps == [str(step) for step in range(1, 3001)]


class Tty(io.StringIO):
    """A stream that reports to be a terminal."""

    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "env", "expected"),
    [
        (Tty, {"TERM": "xterm"}, True),
        (Tty, {"TERM": "xterm", "NO_COLOR": "1"}, True),
        (Tty, {"TERM": "dumb"}, False),
        (io.StringIO, {"TERM": "xterm"}, False),
        (io.StringIO, {"TERM": "xterm", "FORCE_COLOR": "1"}, False),
    ],
)
def test_which_streams_have_bars(stream, env, expected):
    assert has_bars(Console(file=stream(), _environ=env)) is expected


# How often something is shown


class Clock:
    """A clock that the test sets."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_the_bar_is_renewed_ten_times_a_second():
    clock = Clock()
    interval, shown = DisplayInterval(clock), 0
    for _ in range(1000):  # a snapshot each millisecond
        if interval.due():
            with interval.showing():
                shown += 1
        clock.now += 1e-3
    assert shown == 10


@pytest.mark.parametrize("cost", [0.01, 0.5])
def test_a_slow_terminal_is_shown_less(cost):
    clock = Clock()
    interval, spent = DisplayInterval(clock), 0.0
    while clock.now < 1000:
        if interval.due():
            with interval.showing():
                clock.now += cost
                spent += cost
        clock.now += 1e-2
    assert spent / clock.now <= 0.0101


def test_thousands_of_looks_are_printed_in_few_calls(tmp_path, monkeypatch):
    calls = []
    printed = Stream.print

    def counting(self, what, **options):
        calls.append(what)
        printed(self, what, **options)

    monkeypatch.setattr(Stream, "print", counting)
    samples = p.gauss(p.Problem().samples(), 3)
    model, loop, rate = p.PowerSeries(degree=3), p.Manual(2000, 1), p.GradientDescent(1e-4)
    with Terminal(tmp_path) as terminal:
        p.fit(samples, model, loop=loop, optimizer=rate, backend=p.NumPy(), observe=terminal.snapshot)
    lines = (tmp_path / "polyexp.log").read_text().splitlines()
    assert [int(line.split()[2]) for line in lines] == [*range(1, 2001)]
    assert 2 <= len(calls) < 200  # to stdout and to the log


# The bar


def test_what_the_bar_says():
    assert fit_status(500, 1000, 84.372, 0.25) == "loss 84.37  2000 steps/s  0:00:00 left"
    assert fit_status(1, 4000, 2.461e-8, 3.0) == "loss 2.461e-08  0.33 steps/s  3:19:57 left"
    assert fit_status(10, 10**15, 1.0, 1.0).endswith("10 steps/s  very long left")
    assert fit_status(10, 10, np.nan, 1.0) == "loss nan  10 steps/s  0:00:00 left"


def drawn(at, step=30, steps=100):
    clock, stream = Clock(), Tty()
    shown = FitBar(Console(file=stream, width=80, _environ={"TERM": "xterm"}), steps, clock)
    clock.now = at
    shown.show(step, 1.5)
    text = stream.getvalue()
    shown.close()
    return text, stream.getvalue()


def test_a_short_fit_has_no_bar():
    assert drawn(0.4) == ("", "")


def test_the_bar_goes_as_it_came():
    before, after = drawn(2.0)
    (line,) = [line for line in screen(before) if line]
    assert re.fullmatch(r"Fitting ━+[╸╺]━+ +30% loss 1.5  15 steps/s  0:00:05 left", line)
    assert [line for line in screen(after) if line] == []


def test_a_narrow_terminal_cuts_the_bar():
    stream, clock = Tty(), Clock()
    shown = FitBar(Console(file=stream, width=40, _environ={"TERM": "xterm"}), 100, clock)
    clock.now = 1.0
    shown.show(50, 1.5)
    (line,) = [line for line in screen(stream.getvalue()) if line]
    shown.close()
    assert len(line) <= 40
    assert re.match(r"Fitting ━+[╸╺]?━* +50% loss 1.5", line)


def test_a_warning_does_not_meet_the_bar(tmp_path, monkeypatch, capsys):
    """The bar is removed first, because stderr may be the same terminal."""
    closed = []
    monkeypatch.setattr(FitBar, "close", lambda self: closed.append(self))
    with Terminal(tmp_path) as terminal:
        terminal._bar = FitBar(Console(), 10)
        terminal.warn("something")
        assert len(closed) == 1
    assert capsys.readouterr().err == "warning: something\n"


# The jobs of a sweep


BASIC = "hydra/launcher=basic"


def test_a_sweep_says_how_many_jobs_are_left(bare_cli):
    ended = bare_cli("-m", *FIT, "loop.steps=2", "seed=0,1,2", BASIC)
    assert (ended.code, ended.err) == (0, "")
    counts = [line for line in ended.out.splitlines() if "jobs done" in line]
    assert counts == [f"{done} of 3 jobs done, 0 failed, {3 - done} left" for done in (1, 2, 3)]


def test_a_failed_job_is_counted(bare_cli, monkeypatch):
    monkeypatch.setattr(p.PowerSeries, "formula", lambda self, params: str(1 / (self.degree - 2)))
    ended = bare_cli("-m", *FIT, "loop.steps=2", "model.degree=2,1", BASIC)
    assert ended.code == 1
    counts = [line for line in ended.out.splitlines() if "jobs done" in line]
    assert counts == ["0 of 2 jobs done, 1 failed, 1 left", "1 of 2 jobs done, 1 failed, 0 left"]


def test_batches_are_one_sweep(bare_cli):
    words = ("-m", *FIT, "loop.steps=2", "seed=0,1", "hydra.sweeper.max_batch_size=1")
    lines = bare_cli(*words, BASIC).out.splitlines()
    assert [line for line in lines if "jobs done" in line][-1] == "2 of 2 jobs done, 0 failed, 0 left"
    lines = bare_cli(*words).out.splitlines()
    assert [line.split()[0] for line in lines if "MAX_STEPS" in line] == ["[1/2]", "[2/2]"]


def test_a_quiet_sweep_is_quiet(bare_cli):
    assert bare_cli("-m", *FIT, "loop.steps=2", "seed=0,1", "quiet=true") == (0, "", "")


def test_a_single_run_has_no_jobs(bare_cli):
    assert "jobs done" not in bare_cli(*FIT, "loop.steps=2").out


def test_an_interruption_ends_no_job():
    jobs, out = JobCounter(), io.StringIO()

    def interrupted(cfg):
        raise KeyboardInterrupt

    with redirect_stdout(out), pytest.raises(KeyboardInterrupt):
        jobs.counted(interrupted)(None)
    assert (jobs.done, jobs.failed, out.getvalue()) == (0, 0, "")


def test_the_line_of_a_sweep():
    assert jobs_line(2, 1, 30) == "2 of 30 jobs done, 1 failed, 27 left"

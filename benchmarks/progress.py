"""What the loss lines and the bar of a run cost, on a pseudo terminal: python benchmarks/progress.py [rounds]

The same fit with the bar, with lines only (as TERM=dumb shows it) and with nothing (quiet=true), one after the other in each
round. A ratio above 1 is what the terminal costs: in seconds of the processor, which other processes disturb less, and in those
of the clock, which include waiting for the terminal. On a busy machine both ratios wander by several percent; the third number
does not: the part of one and the same fit's processor time that is spent on showing it.
"""

import os
import pty
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path

import polyexp as p
from polyexp.exact import forecast
from polyexp.report import Terminal

FITS = {  # steps, log_every
    "the default fit, longer (log_every=200)": (60_000, 200),
    "a snapshot every 10 steps": (20_000, 10),
    "a snapshot at every step": (4_000, 1),
}
KINDS = {"bar": ("xterm-256color", False), "lines": ("dumb", False), "quiet": ("xterm-256color", True)}
RATE = p.GradientDescent(1e-6)


def seconds(steps, log_every, term, quiet, folder):
    """Of one fit with its terminal, from the first line to the last one: of the processor, of the clock, for showing."""
    os.environ["TERM"] = term
    samples = p.gauss(p.Problem().samples(), 7)
    model, loop, backend = p.PowerSeries(), p.Manual(steps, log_every), p.NumPy()
    prediction = forecast(model, loop, RATE, samples, model.initial_params(0))
    showing = 0.0

    def observe(snapshot):
        nonlocal showing
        entered = time.process_time()
        terminal.snapshot(snapshot)
        showing += time.process_time() - entered

    began = time.process_time(), time.perf_counter()
    with Terminal(folder, quiet=quiet) as terminal:
        terminal.begin(prediction, backend.describe())
        p.fit(samples, model, loop=loop, optimizer=RATE, backend=backend, observe=observe)
        terminal.close_bar()
    return time.process_time() - began[0], time.perf_counter() - began[1], showing


def measure(rounds, folder):
    """The seconds of every round of every fit, by kind."""
    found = {}
    for name, (steps, log_every) in FITS.items():
        found[name] = {kind: [] for kind in KINDS}
        for number in range(rounds + 1):
            for kind, (term, quiet) in KINDS.items():
                took = seconds(steps, log_every, term, quiet, folder)
                if number:  # the first one warms up
                    found[name][kind].append(took)
    return found


def main(rounds):
    ours, theirs = pty.openpty()
    # Another process reads what we write, as a terminal does.
    with (
        subprocess.Popen(["cat"], stdin=ours, stdout=subprocess.DEVNULL) as reader,
        open(theirs, "w", encoding="utf-8") as terminal,
    ):
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(terminal):
            found = measure(rounds, Path(folder))
        reader.kill()
    for name, kinds in found.items():
        for number, clock in enumerate(("processor", "clock")):
            times = {kind: [one[number] for one in all_of_it] for kind, all_of_it in kinds.items()}
            shown = ", ".join(f"{kind} {statistics.median(one):.3f} s" for kind, one in times.items())
            against = "; ".join(f"bar / {kind} {ratio(times['bar'], times[kind])}" for kind in ("lines", "quiet"))
            print(f"{name}, {clock}: {shown}; {against}")
        parts = {kind: statistics.median(one[2] / one[0] for one in all_of_it) for kind, all_of_it in kinds.items()}
        print(f"{name}, for showing: {', '.join(f'{kind} {part:.2%}' for kind, part in parts.items())}")


def ratio(over, under):
    """The ratio of the medians, that of the least, and the quartiles of the ratios within a round."""
    low, _, high = statistics.quantiles([a / b for a, b in zip(over, under, strict=True)])
    least, middle = min(over) / min(under), statistics.median(over) / statistics.median(under)
    return f"{middle:.3f} (of the least {least:.3f}, rounds {low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)

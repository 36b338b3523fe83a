"""What the MLflow model of a run costs: `python -m benchmarks.models [rounds]`.

Default runs with `tracking.log_model=never` and `auto` are started in turn, in one folder whose store is there already. The
time is that of the clock until the run has printed the link to its page. Beside them the imports alone of the five libraries
that such a run is made of, in a process of its own.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.timing import seconds

IMPORTS = "import hydra, mlflow, numpy, omegaconf, torch"
LINK = "http://"


def main(rounds: int = 9) -> None:
    """Measure, and print medians: of the times, of their difference in each round, and of their ratio to the imports."""
    with tempfile.TemporaryDirectory() as folder:
        until_link("never", folder)  # makes the store
        turns = [(until_link("never", folder), until_link("auto", folder), imports()) for _ in range(rounds)]
    without, with_model, alone = map(statistics.median, zip(*turns, strict=True))
    more = statistics.median(two - one for one, two, _ in turns)
    ratio = statistics.median(two / three for _, two, three in turns)
    print(f"Medians of {rounds} rounds, in seconds: {without:.2f} without a model, {with_model:.2f} with one,")
    print(f"{more:+.2f} more in a round; imports alone {alone:.2f}; with a model {ratio:.2f} of the imports.")


def until_link(log_model: str, folder: str) -> float:
    """The seconds until a default run has printed its link."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "polyexp", f"tracking.log_model={log_model}"]
    with subprocess.Popen(command, cwd=Path(folder), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith(LINK):
                taken = time.perf_counter() - began
        assert process.wait() == 0
    time.sleep(1)  # the recorder of the run ends, which nobody waits for
    return taken


def imports() -> float:
    """The seconds of a process that imports the libraries alone."""
    return seconds(lambda: subprocess.run([sys.executable, "-c", IMPORTS], check=True))[0]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

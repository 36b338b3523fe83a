"""The numeric tests under other kernels: `make test-kernels` (a seeded sample), `make test-kernels FULL=1` (all of them).

NumPy, OpenBLAS and torch choose their code by the processor, and each choice rounds differently. Here a processor runs the
code that it would choose if it were an older one. As a pytest plugin this module draws the sample.
"""

import argparse
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHARE = 0.15  # of the tests, in each environment: about two minutes in all on two cores
SELECTED = "numeric and not slow and not wheel and not browser"

KERNELS = {
    "x86_64": ("Prescott", "Nehalem", "Sandybridge", "Haswell", "Zen", "SkylakeX"),
    "aarch64": ("ARMV8", "CORTEXA57", "NEOVERSEN1", "NEOVERSEV1"),
}
ALIASES = {"Prescott": ("Katmai",)}  # the name that OpenBLAS reports for it when built without older kernels

# Each prints what took effect. The first one also uses the kernel: OpenBLAS does not ask whether the processor has it.
BLAS = """
import numpy as np, threadpoolctl
for dtype in "f", "d":
    matrix = np.random.RandomState(0).standard_normal((200, 200)).astype(dtype)
    np.linalg.eigh(matrix @ matrix.T), np.linalg.svd(matrix), np.linalg.qr(matrix), np.linalg.inv(matrix) @ matrix[0]
print(*(lib["architecture"] for lib in threadpoolctl.threadpool_info() if lib["internal_api"] == "openblas"))
"""
SIMD = "import numpy; print(*numpy.show_config(mode='dicts')['SIMD Extensions'].get('found', []))"
ATEN = "import torch; print(torch.backends.cpu.get_cpu_capability())"


@dataclass(frozen=True)
class Environment:
    """Environment variables for the tests, and how to tell whether they took effect."""

    name: str
    variables: dict[str, str]
    probe: str  # a program
    expected: Callable[[str], bool]  # of what the program prints
    unset: tuple[str, ...] = ()

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if name not in self.unset}
        environment = kept | self.variables
        command = (sys.executable, *command)
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    def reason_to_leave_out(self) -> str:
        """Empty where the variables take effect on this machine."""
        done = self.run("-c", self.probe)
        found = done.stdout.strip()
        if done.returncode < 0:
            return f"this processor lacks its instructions (signal {-done.returncode})"
        if done.returncode:
            return done.stderr.strip().splitlines()[-1]
        return "" if self.expected(found) else f"asked for {self.name}, the library took {found or 'no such code'}"


def kernel(name: str) -> Environment:
    names = {one.lower() for one in (name, *ALIASES.get(name, ()))}
    variables = {"OPENBLAS_CORETYPE": name}
    return Environment(
        f"OpenBLAS {name}", variables, BLAS, lambda found: found.lower() in names, unset=("OPENBLAS_L2_SIZE",)
    )


def environments() -> Iterator[Environment]:
    yield from map(kernel, KERNELS.get(platform.machine(), ()))
    found = subprocess.run([sys.executable, "-c", SIMD], capture_output=True, text=True, check=True).stdout.strip()
    yield Environment("NumPy without SIMD", {"NPY_DISABLE_CPU_FEATURES": found}, SIMD, lambda found: not found)
    yield Environment("torch without SIMD", {"ATEN_CPU_CAPABILITY": "default"}, ATEN, lambda found: found == "DEFAULT")


def last_commit() -> int:
    """Its time, so that every commit has another sample, and the same one wherever it is tested."""
    command = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    try:
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    except (OSError, subprocess.CalledProcessError):  # no git, or an archive
        return 0


def tests(
    environment: Environment, share: float, seed: int
) -> tuple[Environment, subprocess.CompletedProcess[str], float]:
    begin = time.monotonic()
    options = ["-p", "tests.kernels", f"--share={share}", f"--share-seed={environment.name} {seed}"]
    hypothesis = [f"--hypothesis-seed={seed}", "-p", "no:cacheprovider"]
    done = environment.run("-m", "pytest", "-q", "-rfE", "-m", SELECTED, *options, *hypothesis)
    return environment, done, time.monotonic() - begin


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.kernels", description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="all numeric tests instead of a sample")
    parser.add_argument(
        "--seed", type=int, default=last_commit(), help="of the sample; the last commit's time by default"
    )
    arguments = parser.parse_args()
    share = 1.0 if arguments.full else SHARE
    print(f"{share:.0%} of the numeric tests in each environment, SEED={arguments.seed}", flush=True)
    begin, usable = time.monotonic(), []
    for environment in environments():
        reason = environment.reason_to_leave_out()
        if reason:
            print(f"{environment.name}: left out, {reason}.", flush=True)
        else:
            usable.append(environment)
    failed = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for job in as_completed([pool.submit(tests, one, share, arguments.seed) for one in usable]):
            environment, done, seconds = job.result()
            if done.returncode:
                failed.append(environment.name)
                print(done.stdout, done.stderr, sep="\n")
            last = (done.stdout.strip().splitlines() or ["no output"])[-1]
            print(f"{environment.name}: {last.strip('= ')} ({seconds:.0f} s)", flush=True)
    print(f"{len(usable)} environments in {time.monotonic() - begin:.0f} s. Failed: {', '.join(failed) or 'none'}.")
    return 1 if failed or not usable else 0


# The plugin


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--share", type=float, default=1.0, help="run a random part of the tests")
    parser.addoption("--share-seed", default="0", help="of this choice")


@pytest.hookimpl(trylast=True)  # after the markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    can_run = [item for item in items if not any(mark.args[:1] == (True,) for mark in item.iter_markers("skipif"))]
    chosen = random.Random(config.getoption("share_seed")).sample(
        range(len(can_run)), round(config.getoption("share") * len(can_run))
    )
    kept = [can_run[index] for index in sorted(chosen)]
    left = set(items) - set(kept)
    config.hook.pytest_deselected(items=[item for item in items if item in left])
    items[:] = kept


if __name__ == "__main__":
    sys.exit(main())

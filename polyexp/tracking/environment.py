"""The environment of a run in its record: one tag with short JSON beside those of the version, the commit and the library."""

import json
from collections.abc import Mapping

from polyexp.backend import environment_of
from polyexp.base import cut
from polyexp.fitting import NUMERICAL_CORE
from polyexp.tracking.entry import COMPUTED_BY_TAG, ENVIRONMENT_TAG

__all__ = ["differences", "environment_tags", "recorded_environment", "runs_together"]

MAX_TAG_CHARACTERS = 2000
RUNS = "runs"  # that were computed together, in the environment of a run of a batch
# What each part is called in a sentence.
WORDS = {
    "polyexp": "the version of polyexp",
    "commit": "the commit",
    "core": "the numerical core of polyexp",
    "computed_by": "the library with its dtype and device",
    "python": "Python",
    "numpy": "NumPy",
    "jaxlib": "jaxlib",
    "cuda": "CUDA",
    "threads": "the number of threads",
    "blas": "the BLAS library",
    "kernel": "the BLAS kernel",
    "torch_kernel": "the kernel of torch",
    "simd": "the instructions that NumPy uses",
    "processor": "the processor",
    "system": "the operating system",
    "libc": "the C library",
}
TAGS = {"polyexp.version": "polyexp", "polyexp.commit": "commit", COMPUTED_BY_TAG: "computed_by"}
DIRTY = "-dirty"  # at the end of a commit whose files were changed


def environment_tags(computed_by: str, threads: int | None = None, runs: int = 1) -> dict[str, str]:
    """The tags of a run that say what computes it, and in which environment.

    Args:
        computed_by: The library, dtype and device, such as "numpy 2.0.0, float64, cpu".
        threads: The number of threads; None where it is not known, or the device has none of its own.
        runs: The number of runs that are computed together.

    Example:
        >>> tags = environment_tags("numpy 2.4.6, float64, cpu", threads=1, runs=3)
        >>> sorted(tags), recorded_environment(tags)["threads"], runs_together(recorded_environment(tags))
        (['polyexp.computed_by', 'polyexp.environment'], '1', 3)
    """
    library = computed_by.removeprefix("closed form, ").partition(" ")[0]
    found = {"core": str(NUMERICAL_CORE), **environment_of(library)}
    found |= {} if threads is None else {"threads": str(threads)}
    found |= {RUNS: str(runs)} if runs > 1 else {}
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    return {COMPUTED_BY_TAG: computed_by, ENVIRONMENT_TAG: text}


def recorded_environment(tags: Mapping[str, str]) -> dict[str, str]:
    """The environment of a run, as far as its tags have it; texts of one line each, whoever wrote them.

    Args:
        tags: The tags of a run.

    Example:
        >>> recorded_environment({"polyexp.version": "0.1.0", "polyexp.environment": '{"kernel":"Haswell"}'})
        {'polyexp': '0.1.0', 'kernel': 'Haswell'}
    """
    found = {name: cut(tags[tag]) for tag, name in TAGS.items() if tag in tags}
    try:
        inside = json.loads(tags.get(ENVIRONMENT_TAG, "{}")[:MAX_TAG_CHARACTERS])
    except (ValueError, RecursionError):
        return found
    texts = inside.items() if isinstance(inside, dict) else ()
    return found | {name: cut(text) for name, text in texts if name in (*WORDS, RUNS) and isinstance(text, str)}


def runs_together(environment: Mapping[str, str]) -> int:
    """The number of runs that were computed together with a run, itself included; 1 where it was computed alone.

    Args:
        environment: The environment of the run.
    """
    runs = environment.get(RUNS, "1")
    return int(runs) if runs.isdecimal() and runs.isascii() else 1


def differences(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What differs between two environments, in words; what the first one does not have is not compared.

    Args:
        then: The environment of a recorded run.
        now: That of a later run.

    Example:
        >>> differences({"kernel": "Haswell", "python": "3.11.2"}, {"kernel": "Prescott", "python": "3.11.2"})
        ['the BLAS kernel was Haswell and is Prescott']
    """
    return [
        f"{words} was {then[name]} and is {now.get(name, 'none')}"
        for name, words in WORDS.items()
        if name in then and then[name] != now.get(name)
    ]

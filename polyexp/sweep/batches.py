"""Which experiments of a sweep are computed together."""

from collections.abc import Hashable, Iterator, Sequence

from polyexp.experiment import Experiment, batch_key

__all__ = ["MAX_BYTES", "MAX_RUNS", "batches"]

MAX_BYTES = 2**28  # of the arrays of a batch
MAX_RUNS = 1000  # of a batch, so that a long sweep shows and keeps what it has done
NUMBER_BYTES = 8  # of a float64
EARLY_SNAPSHOTS = 60  # at the steps 1, 2, 5, 10, ..., at most 10^18
COPIES = 2  # of a history while it grows
ARRAYS = 12  # of the parameters and the samples of a run: the state, the gradient, and what a step needs meanwhile


def batches(experiments: Sequence[Experiment], max_bytes: int = MAX_BYTES) -> list[tuple[int, ...]]:
    """The positions of the experiments that are computed together, in the order of the first of each batch.

    Args:
        experiments: The experiments, which have been checked.
        max_bytes: The most bytes that the arrays of a batch of several experiments may have.
    """
    groups: dict[Hashable, list[int]] = {}
    for place, experiment in enumerate(experiments):
        groups.setdefault(batch_key(experiment), []).append(place)
    chunks = (
        chunk for group in groups.values() for chunk in _chunks(group, _runs_at_once(experiments[group[0]], max_bytes))
    )
    return sorted(chunks)


def _chunks(places: Sequence[int], size: int) -> Iterator[tuple[int, ...]]:
    return (tuple(places[begin : begin + size]) for begin in range(0, len(places), size))


def _runs_at_once(experiment: Experiment, max_bytes: int) -> int:
    """How many runs of a kind fit into so many bytes, at least one."""
    samples = experiment.samples()
    size = len(experiment.model.param_names)
    snapshots = min(experiment.loop.regular_snapshots + EARLY_SNAPSHOTS, experiment.loop.steps)
    numbers = COPIES * snapshots * (size + 3) + ARRAYS * (size + samples.size)
    return max(1, min(MAX_RUNS, max_bytes // (NUMBER_BYTES * numbers)))

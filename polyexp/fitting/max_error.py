"""The largest error of a fit over all samples."""

from collections.abc import Iterable, Iterator

import numpy as np

from polyexp.model import Model
from polyexp.problem import Chunk, Samples

__all__ = ["max_error"]

MAX_RUNS_AT_ONCE = 2**9  # runs whose values are computed at once for the max error
MAX_VALUES_AT_ONCE = 2**17  # values of the model that are computed at once for the max error: 1 MiB, which caches hold


def max_error(model: Model, params: np.ndarray, chunks: Iterable[Chunk | Samples]) -> np.ndarray:
    """The max error of each run: the largest |f(x_i) - y_i| over all samples, not over those of a reduction.

    # shape: (*runs, K) -> (*runs,)
    """
    *runs, size = params.shape
    flat = params.reshape(-1, size)
    largest = np.zeros(len(flat))
    block = MAX_VALUES_AT_ONCE // min(len(flat), MAX_RUNS_AT_ONCE)
    with np.errstate(all="ignore"):
        for chunk in chunks:
            all_x, all_y = np.asarray(chunk.x), np.asarray(chunk.y)
            for samples in _parts(all_x.size, block):
                x, y = all_x[samples], all_y[samples]
                for part in _parts(len(flat), MAX_RUNS_AT_ONCE):
                    error = np.abs(model(flat[part], x) - y).max(-1)
                    largest[part] = np.maximum(largest[part], error)
    return largest.reshape(runs)


def _parts(size: int, length: int) -> Iterator[slice]:
    """The slices of `length` elements each that a sequence of `size` elements consists of."""
    return (slice(begin, begin + length) for begin in range(0, size, length))

"""Which jobs of a sweep each worker receives."""

from collections.abc import Hashable, Sequence
from itertools import pairwise

__all__ = ["slices"]


def slices(keys: Sequence[Hashable], count: int) -> list[tuple[int, ...]]:
    """The positions of the jobs of each slice; jobs with the same key stand side by side, in as few slices as the sizes allow.

    The sizes differ by one at most, so that every worker has work. There are fewer slices where there are fewer jobs.

    Args:
        keys: What the jobs that can be computed together have in common (`batch_key`), in the order of the jobs.
        count: The number of slices, at least 1.

    Example:
        >>> slices(["a", "b", "a", "b", "a"], 2)
        [(0, 2, 4), (1, 3)]
    """
    groups: dict[Hashable, list[int]] = {}
    for place, key in enumerate(keys):
        groups.setdefault(key, []).append(place)
    places = [place for group in groups.values() for place in group]
    count = min(count, len(places))
    bounds = [-(-len(places) * number // count) for number in range(count + 1)] if count else [0]
    return [tuple(places[begin:end]) for begin, end in pairwise(bounds)]

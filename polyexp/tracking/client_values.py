"""What a store is told of a run, as values of MLflow's client, in batches that every store takes."""

import json
import math
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any

from polyexp.tracking.entry import Dataset, Entry

__all__ = ["batches", "dataset_input"]

# Of one batch; MLflow allows 100 params, 100 tags, 1000 of all, and a megabyte.
MAX_PARAMS, MAX_METRICS, MAX_BYTES = 100, 800, 300_000


def batches(entry: Entry) -> Iterator[tuple[list[Any], list[Any], list[Any]]]:
    """Metrics, params and tags in batches that every store takes.

    Args:
        entry: The entry of the run.
    """
    from mlflow.entities import Metric, Param, RunTag

    metrics = [Metric(name, value, at, step) for name, value, step, at in entry.points]
    params = [Param(name, value) for name, value in entry.params.items()]
    tags = [RunTag(name, value) for name, value in entry.tags.items()]
    chunks = _chunks(metrics, MAX_METRICS), _chunks(params, MAX_PARAMS), _chunks(tags, MAX_PARAMS)
    for batch in zip_longest(*chunks, fillvalue=()):
        yield list(batch[0]), list(batch[1]), list(batch[2])


def dataset_input(dataset: Dataset) -> Any:
    """The samples, as the input of a run.

    Args:
        dataset: The samples.
    """
    from mlflow.entities import Dataset as MLflowDataset
    from mlflow.entities import DatasetInput, InputTag

    entity = MLflowDataset(
        dataset.name, dataset.digest, dataset.source_type, dataset.source, dataset.schema, dataset.profile
    )
    return DatasetInput(entity, [InputTag("mlflow.data.context", "training")])


def _chunks(items: Iterable[Any], most: int) -> Iterator[list[Any]]:
    """Items one after another in lists of at most so many and at most so many bytes, as JSON."""
    chunk: list[Any] = []
    room = math.inf
    for item in items:
        size = len(json.dumps(dict(item)))
        if len(chunk) == most or size > room:
            yield chunk
            chunk, room = [], math.inf
        room = min(room, MAX_BYTES) - size
        chunk.append(item)
    if chunk:
        yield chunk

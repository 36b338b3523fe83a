"""The samples as a dataset of MLflow, described without mlflow and pandas, in the words of both."""

import hashlib
import json
from typing import Any

import numpy as np

from polyexp.tracking.entry import Dataset

__all__ = ["dataset_of"]

SOURCE = {"tags": {"mlflow.source.name": "polyexp", "mlflow.source.type": "LOCAL"}}
HASHED_VALUES = 10_000  # of each array, from its beginning, that MLflow's digest covers
DIGEST_CHARACTERS = 8


def dataset_of(name: str, x: np.ndarray, y: np.ndarray) -> Dataset:
    """Samples as MLflow describes a dataset of NumPy arrays, with its digest of 8 hexadecimal digits.

    The digest is MLflow's: MD5 of the hashes that pandas gives the first 10 000 values of each array, and of the shapes.

    Args:
        name: The name of the dataset.
        x: The x of the samples, finite float64, shape `(N,)`.
        y: The y of the samples, finite float64, shape `(N,)`.

    Example:
        >>> import numpy as np
        >>> dataset_of("line_2", np.array([0.0, 1.0]), np.array([0.0, 2.0])).profile[:42]
        '{"features_shape": [2], "features_size": 2'
    """
    arrays = {"features": np.asarray(x, np.float64), "targets": np.asarray(y, np.float64)}
    schema = {"mlflow_tensorspec": {part: json.dumps([_tensor(array)]) for part, array in arrays.items()}}
    profile = {
        f"{part}_{key}": value
        for part, array in arrays.items()
        for key, value in (("shape", array.shape), ("size", array.size), ("nbytes", array.nbytes))
    }
    return Dataset(name, _digest(*arrays.values()), "code", json.dumps(SOURCE), json.dumps(schema), json.dumps(profile))


def _tensor(array: np.ndarray) -> dict[str, Any]:
    return {"type": "tensor", "tensor-spec": {"dtype": array.dtype.name, "shape": [-1, *array.shape[1:]]}}


def _digest(*arrays: np.ndarray) -> str:
    md5 = hashlib.md5(usedforsecurity=False)
    for array in arrays:
        md5.update(_hashes(array.ravel()[:HASHED_VALUES]).tobytes())
        md5.update(np.array(array.shape, np.int64).tobytes())
    return md5.hexdigest()[:DIGEST_CHARACTERS]


def _hashes(values: np.ndarray) -> np.ndarray:
    """The hash of each value as pandas computes it: its bits, mixed by the last step of SplitMix64 (Steele et al. 2014)."""
    bits = (values + 0.0).view(np.uint64)  # -0.0 is hashed as 0.0
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)  # modulo 2^64
    return bits

"""The files of a recorded run, read in bounds and from the store that was asked alone.

A server is asked for the bytes itself, whatever it says of where they are, and is not followed elsewhere. So a server cannot
make this machine read a local file, or ask another one.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlsplit

from polyexp.base import InputError
from polyexp.tracking.address import is_server
from polyexp.tracking.artifact_folder import UnknownLocationError, local_folder
from polyexp.tracking.store import Store

__all__ = ["MEGABYTE", "Artifacts", "Limit", "LimitError"]

MEGABYTE = 10**6
CHUNK_BYTES = 2**16  # that are read at a time
WAIT_SECONDS = 10  # for a server that sends nothing
LOOPBACK_HOSTS = (None, "", "localhost", "127.0.0.1", "::1")
MAX_POINTS = 1000  # of a metric; MLflow's server gives no more than 2500 at once


class LimitError(InputError):
    """A file that is larger, or takes longer, than is allowed."""


@dataclass(frozen=True)
class Limit:
    """The most that is read of a file.

    Args:
        megabytes: The size in 10^6 bytes.
        seconds: The time in seconds.
    """

    megabytes: float
    seconds: float = 60.0

    def bounded(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The same chunks, as long as they are within the limit.

        Raises:
            LimitError: At the first chunk beyond it.
        """
        size, end = 0, time.monotonic() + self.seconds
        for chunk in chunks:
            size += len(chunk)
            if size > self.megabytes * MEGABYTE:
                raise LimitError(f"it is larger than {self.megabytes:g} MB")
            if time.monotonic() > end:
                raise LimitError(f"reading it takes longer than {self.seconds:g} seconds")
            yield chunk


@dataclass(frozen=True)
class Artifacts:
    """The files of one run.

    Args:
        store: The store that was asked for the run.
        run_id: The id of the run.
        root: The place of its files, as the store says it; it is ignored where the store is a server.
    """

    store: Store
    run_id: str
    root: str

    def read(self, name: str, limit: Limit) -> Iterator[bytes]:
        """The content of a file in chunks, within the limit; any exception may be raised where it cannot be read.

        Args:
            name: The name of the file.
            limit: The most that is read of it.
        """
        return limit.bounded(self._chunks(name))

    def metric(self, name: str) -> Iterator[tuple[float, float]]:
        """The points (step, value) of a metric, of which a server gives at most 1000, evenly spread.

        Args:
            name: The name of the metric.
        """
        if not is_server(self.store.uri):
            yield from ((one.step, one.value) for one in self.store.client.get_metric_history(self.run_id, name))
            return
        asked = {"run_ids": self.run_id, "metric_key": name, "max_results": MAX_POINTS}
        chunks = self._served("/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval", asked)
        for one in json.loads(b"".join(Limit(10).bounded(chunks)))["metrics"]:
            yield float(one.get("step", 0)), float(one["value"])

    def add(self, file: Path, folder: str | None = None) -> None:
        """Add a file to those of the run.

        Args:
            file: The file.
            folder: The folder of it among the files of the run.

        Raises:
            InputError: Where a store on another machine says that the place is a folder of this one.
        """
        if _is_path(self.root) and not self._is_local:
            raise InputError(
                f"The store {self.store.shown} says that the files of its runs are in a folder of this machine: start the "
                "server with `--artifacts-destination`, so that it keeps them itself."
            )
        self.store.client.log_artifact(self.run_id, str(file), folder)

    @property
    def _is_local(self) -> bool:
        return urlsplit(self.store.uri).hostname in LOOPBACK_HOSTS

    def _chunks(self, name: str) -> Iterator[bytes]:
        if is_server(self.store.uri):
            return self._served("/get-artifact", {"run_uuid": self.run_id, "path": name})
        folder = self._folder()
        return _of_file(folder / name) if folder else self._downloaded(name)

    def _folder(self) -> Path | None:
        """The local folder of the files; None where they are elsewhere."""
        if _is_path(self.root) and not self._is_local:
            raise InputError("the store is on another machine, and says that the file is on this one")
        if self.store.artifact_root is None and not _is_path(self.root):
            return None
        with suppress(UnknownLocationError):
            return local_folder(self.root, Path(unquote(self.store.artifact_root or "/")))
        return None

    def _downloaded(self, name: str) -> Iterator[bytes]:
        """The chunks of a file in a store such as S3, which MLflow can read only as a whole."""
        with TemporaryDirectory() as folder:  # MLflow would leave a temporary folder behind for each file
            yield from _of_file(Path(self.store.client.download_artifacts(self.run_id, name, folder)))

    def _served(self, endpoint: str, asked: Mapping[str, Any]) -> Iterator[bytes]:
        from mlflow.tracking._tracking_service.utils import get_default_host_creds
        from mlflow.utils.rest_utils import http_request

        options: dict[str, Any] = {"params": asked, "stream": True, "allow_redirects": False, "timeout": WAIT_SECONDS}
        plain = {"Accept-Encoding": "identity"}  # so that what is counted is what is read
        host = get_default_host_creds(self.store.uri)
        with http_request(host, endpoint, "GET", max_retries=1, extra_headers=plain, **options) as response:
            if response.status_code != 200:
                raise InputError(f"the server answers {response.status_code}")
            while chunk := response.raw.read1(CHUNK_BYTES):
                yield chunk


def _is_path(root: str) -> bool:
    """Whether the place of files is a local one."""
    return urlsplit(root).scheme in ("", "file")


def _of_file(path: Path) -> Iterator[bytes]:
    if not path.is_file():  # which a pipe or a device, that might never end, is not
        raise InputError("there is no such file")
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk

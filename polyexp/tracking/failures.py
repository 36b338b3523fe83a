"""Why a call to a store failed: whether it may succeed when it is repeated, and what a user is told.

Only attributes of the errors are read, so that neither MLflow nor a driver is imported for it.
"""

import errno
import re
from collections.abc import Iterator

from polyexp.base import InputError, bounded, cut
from polyexp.tracking.address import hidden, is_server, without_credentials

__all__ = ["concerns_store", "describe", "error_code", "is_passing", "lacks_endpoint"]

PASSING_STATUSES = {408, 429, 500, 502, 503, 504}
# MLflow's words for what a database refuses: it is locked or gone, or another transaction has just written the same row.
PASSING_CODES = {"TEMPORARILY_UNAVAILABLE", "BAD_REQUEST"}
LOCAL_ERRORS = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)  # of a file of the run
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
STATUS = re.compile(r"too many (\d{3}) error responses|failed with error code (\d{3})\b")
REFUSALS = {
    401: "refuses the login (401)",
    403: "refuses the access (403)",
    404: "does not have what was asked for (404)",
    413: "refuses a file or a batch as too large (413)",
    429: "is busy (429)",
}


def is_passing(error: BaseException) -> bool:
    """Whether the same call may succeed later: there was no answer, or one such as 429 or 503.

    The store may have done what it was asked for all the same.

    Args:
        error: The error of MLflow, of the network or of a driver.
    """
    if isinstance(error, InputError):
        return False
    status = _http_status(error)
    if status or error_code(error) in PASSING_CODES:
        return status in PASSING_STATUSES or error_code(error) in PASSING_CODES
    return any(isinstance(one, OSError) and not isinstance(one, LOCAL_ERRORS) for one in _chain(error))


def concerns_store(error: BaseException) -> bool:
    """Whether the next run would fail in the same way: the store is busy, does not answer or refuses the login.

    Args:
        error: The error of MLflow, of the network or of a driver.
    """
    return is_passing(error) or _http_status(error) == 401


def lacks_endpoint(error: BaseException) -> bool:
    """Whether a server does not know a call at all, as one of an earlier MLflow does not.

    Args:
        error: The error of MLflow.
    """
    return error_code(error) == "ENDPOINT_NOT_FOUND"


def describe(error: BaseException, uri: str) -> str:
    r"""What a user is told of an error: a clause without full stop and without credentials.

    Args:
        error: The error of MLflow, of the network or of a driver.
        uri: The address of the store, which may hold credentials.

    Example:
        >>> describe(TimeoutError(), "https://somebody:hunter2@host/mlflow")
        'the server at https://host/mlflow does not answer'
        >>> describe(ValueError("no such table: runs\nmore"), "sqlite:////tmp/mlflow.db")
        'the store at sqlite:////tmp/mlflow.db fails (no such table: runs)'
    """
    if isinstance(error, InputError):
        return str(error).rstrip(".")
    if isinstance(error, LOCAL_ERRORS):
        return f"{cut(str(error.filename))} cannot be read ({error.strerror})"
    status = _http_status(error) if is_server(uri) else None
    return bounded(
        f"the {'server' if is_server(uri) else 'store'} at {without_credentials(uri)} {_fault(error, status, uri)}"
    )


def error_code(error: BaseException) -> str | None:
    """MLflow's own code of an error, such as `RESOURCE_DOES_NOT_EXIST`; None of any other error."""
    return getattr(error, "error_code", None)


def _fault(error: BaseException, status: int | None, uri: str) -> str:
    if status:
        return REFUSALS.get(status, f"answers {status}")
    disk = [one.strerror or "" for one in _chain(error) if isinstance(one, OSError) and one.errno in DISK_ERRORS]
    if is_passing(error) and error_code(error) not in PASSING_CODES and not disk:
        return "does not answer"
    text = f"{''.join(disk[:1]) or str(error).strip() or type(error).__name__}\n".partition("\n")[0]
    text = re.sub(r"^\([\w.]+\) ", "", text)  # SQLAlchemy's name of the error of a driver
    return f"fails ({hidden(text, uri)})"


def _http_status(error: BaseException) -> int | None:
    """The status of the HTTP response that an error is about; None where there was no response."""
    for one in _chain(error):
        status = getattr(getattr(one, "response", None), "status_code", None)
        if status is None and (found := STATUS.search(str(one))):
            status = found[1] or found[2]
        if status is None and "error_code" in (getattr(one, "json", None) or ()):  # MLflow's RestException
            status = one.get_http_status_code()  # type: ignore[attr-defined]
        if status is not None:
            return int(status)
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__

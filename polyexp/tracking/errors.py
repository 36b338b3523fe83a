"""The sentences about a store that cannot be opened, and what helps."""

import contextlib
import shlex
import sqlite3
from collections.abc import Iterator

from polyexp.base import InputError
from polyexp.tracking.address import hidden, without_credentials
from polyexp.tracking.server import RefusedLoginError
from polyexp.tracking.sqlite import NewerRevisionError, OtherRevisionError

__all__ = ["deleted_experiment_error", "opening_errors", "short_reason"]

INSTALL = {"psycopg": "type `pip install 'polyexp[postgresql]'`"}  # by the name of the module
WITHOUT_RECORD = "type `tracking=none` to run without a record"
ADVICE = {
    NewerRevisionError: "Update MLflow with `pip install --upgrade mlflow`, name another file, or type "
    "`tracking=none`.",
    OtherRevisionError: "Back it up and run `mlflow db upgrade {address}`, or type `tracking=none`.",
    RefusedLoginError: "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the "
    f"environment, or {WITHOUT_RECORD}.",
    sqlite3.DatabaseError: f"Name another file, or {WITHOUT_RECORD}.",
    Exception: f"T{WITHOUT_RECORD[1:]}.",
}


def deleted_experiment_error(name: str, experiment_id: str) -> InputError:
    """The error for a deleted MLflow experiment, to which nothing can be added."""
    return InputError(
        f"`tracking.experiment_name` must not name a deleted experiment, got {name!r}: "
        f"choose another name, or restore it with `mlflow experiments restore -x {experiment_id}`."
    )


@contextlib.contextmanager
def opening_errors(uri: str, key: str) -> Iterator[None]:
    """A context in which every exception becomes an InputError about the address of the store.

    Args:
        uri: The address, which may hold credentials.
        key: The setting or the variable that it comes from.
    """
    try:
        yield
    except InputError:
        raise
    except ImportError as error:  # mlflow itself, or the driver of a database
        raise InputError(
            f"`tracking=mlflow` needs a package that cannot be imported ({error}): "
            f"{INSTALL.get(error.name or '', 'install it')}, or type `tracking=none`."
        ) from error
    except Exception as error:
        address = without_credentials(uri)
        raise InputError(
            f"`{key}` must name a store that can be opened, got {address!r} ({short_reason(error, uri)}). "
            f"{_advice(error).format(address=shlex.quote(address))}"
        ) from (None if address != uri else error)


def short_reason(error: Exception, uri: str) -> str:
    """What an exception says of a store, in a few words and without what is secret in the address.

    Args:
        error: The exception.
        uri: The address of the store, which may hold credentials.
    """
    reason = _cause(error)
    text = f"{str(reason).strip() or type(reason).__name__}\n".partition("\n")[0].partition(". ")[0]
    return hidden(text, uri)


def _cause(error: Exception) -> Exception:
    """What SQLAlchemy and urllib have caught themselves."""
    causes = (getattr(error, name, None) for name in ("orig", "reason"))
    return next((one for one in causes if isinstance(one, Exception)), error)


def _advice(error: Exception) -> str:
    from ssl import SSLCertVerificationError

    if isinstance(_cause(error), SSLCertVerificationError):
        return f"Set MLFLOW_TRACKING_SERVER_CERT_PATH to the file of its certificates, or {WITHOUT_RECORD}."
    return next(advice for kind, advice in ADVICE.items() if isinstance(error, kind))

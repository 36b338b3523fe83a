"""Whether a server or a database answers: asked before MLflow, which would try for minutes where it does not."""

import socket
import urllib.error
import urllib.request
from typing import Any

from polyexp.tracking import sqlite
from polyexp.tracking.address import dialect, is_server, without_credentials

__all__ = ["require_answer"]

TIMEOUT_SECONDS = 3
PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}  # where an address names none


def require_answer(uri: str) -> None:
    """Require that a server, or a database other than SQLite, answers within 3 seconds.

    Args:
        uri: The address of a store, which may hold credentials.

    Raises:
        ImportError: The driver of the database is not installed.
        Exception: Any other, as the error of the network or of the driver: there is no answer, or not the right one.
    """
    if is_server(uri):
        # Without user and password, which /health does not need and urllib does not accept.
        address = f"{without_credentials(uri).rstrip('/')}/health"
        try:
            urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS).close()
        except urllib.error.HTTPError as error:
            error.close()  # it is the response, too
            raise
    else:
        _require_database(uri)


def _require_database(uri: str) -> None:
    from sqlalchemy import create_engine

    kind = dialect(uri)
    engine = create_engine(uri, connect_args={"connect_timeout": TIMEOUT_SECONDS} if kind == "postgresql" else {})
    try:
        if engine.url.host:
            place = engine.url.host, engine.url.port or PORTS[kind]
            socket.create_connection(place, timeout=TIMEOUT_SECONDS).close()
        _require_empty_or_mlflow(engine)
    finally:
        engine.dispose()


def _require_empty_or_mlflow(engine: Any) -> None:
    """Require a database without tables, or one of the installed MLflow, which adds its tables to any other."""
    from sqlalchemy import inspect, text

    if tables := inspect(engine).get_table_names():
        with engine.connect() as connection:
            version = f"SELECT version_num FROM {sqlite.VERSION_TABLE}"
            rows = connection.execute(text(version)).fetchall() if sqlite.VERSION_TABLE in tables else []
        sqlite.require_tables(tables, [str(row[0]) for row in rows])

"""Whether a server or a database answers: asked before MLflow, which would try for minutes where it does not."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from polyexp.tracking import server, sqlite
from polyexp.tracking.address import is_server

__all__ = ["deleted_experiment", "oldest_experiment", "require_empty_or_mlflow", "within"]

TIMEOUT_SECONDS = 3
PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}  # where an address names none

Answer = TypeVar("Answer")


def deleted_experiment(uri: str, name: str) -> str | None:
    """The id of the MLflow experiment of a name if it has been deleted; None where it has not, or is not there.

    A server, or a database other than SQLite, is asked, and has to answer within 3 seconds.

    Args:
        uri: The address of a store, which may hold credentials.
        name: The name of the MLflow experiment.

    Raises:
        ImportError: The driver of the database is not installed.
        Exception: Any other, as the error of the network or of the driver: there is no answer, or not the right one.
    """
    if is_server(uri):
        return within(TIMEOUT_SECONDS, lambda: server.deleted_experiment(uri, name, TIMEOUT_SECONDS))
    return _asked(uri, lambda engine: _deleted(engine, name))


def oldest_experiment(uri: str) -> int | None:
    """The time at which the oldest MLflow experiment of a server or of a database other than SQLite was made.

    Args:
        uri: The address of a store, which may hold credentials.

    Returns:
        Milliseconds since 1970; None for a database without MLflow experiments.

    Raises:
        Exception: It does not say so within 3 seconds.
    """
    if is_server(uri):
        return within(TIMEOUT_SECONDS, lambda: server.oldest_experiment(uri, TIMEOUT_SECONDS))
    return _asked(uri, _oldest)


def within(seconds: float, ask: Callable[[], Answer]) -> Answer:
    """The result of a function that asks the network, or its exception.

    What is asked can delay its answer for ever, byte by byte. The thread that asks is then left alone.

    Args:
        seconds: The time limit.
        ask: The function.

    Raises:
        TimeoutError: There is no result in time.
    """
    from concurrent.futures import Future
    from threading import Thread

    answer: Future[Answer] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:
            answer.set_exception(error)

    Thread(target=run, daemon=True).start()
    try:
        return answer.result(seconds)
    except TimeoutError:
        if answer.done():  # it may be the exception of the function
            return answer.result()
        raise TimeoutError("timed out") from None


def _asked(uri: str, ask: Callable[[Any], Answer]) -> Answer | None:
    """What a database of MLflow answers within 3 seconds; None where it is empty."""
    from sqlalchemy import create_engine

    engine = create_engine(uri)
    return within(TIMEOUT_SECONDS, lambda: _answer(engine, ask))


def _answer(engine: Any, ask: Callable[[Any], Answer]) -> Answer | None:
    import socket

    try:
        if engine.url.host:
            place = engine.url.host, engine.url.port or PORTS[engine.dialect.name]
            socket.create_connection(place, timeout=TIMEOUT_SECONDS).close()
        return ask(engine) if require_empty_or_mlflow(engine) else None
    finally:
        engine.dispose()


def _deleted(engine: Any, name: str) -> str | None:
    from sqlalchemy import text

    with engine.connect() as connection:
        rows: Iterable[Mapping[str, Any]] = connection.execute(text(sqlite.EXPERIMENT), {"name": name}).mappings()
        return sqlite.deleted_among(rows)


def _oldest(engine: Any) -> int | None:
    from sqlalchemy import text

    with engine.connect() as connection:
        found: int | None = connection.execute(text(sqlite.OLDEST)).scalar()
        return found


def require_empty_or_mlflow(engine: Any) -> bool:
    """Require a database without tables, or one of the installed MLflow, which adds its tables to any other.

    Args:
        engine: The SQLAlchemy engine of the database.

    Returns:
        Whether it is one of MLflow.

    Raises:
        ValueError: It is another database.
    """
    from sqlalchemy import inspect, text

    tables = inspect(engine).get_table_names()
    if tables:
        with engine.connect() as connection:
            version = f"SELECT version_num FROM {sqlite.VERSION_TABLE}"
            rows = connection.execute(text(version)).fetchall() if sqlite.VERSION_TABLE in tables else []
        sqlite.require_tables(tables, [str(row[0]) for row in rows])
    return bool(tables)

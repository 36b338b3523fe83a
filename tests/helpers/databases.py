"""What a SQLite store holds: every row of every table, and every file of the artifacts."""

import contextlib
import sqlite3
import stat
from pathlib import Path
from typing import Any


def rows(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table by its columns, in an order of their own."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {table: [dict(row) for row in database.execute(f'SELECT * FROM "{table}"')] for table in tables}
    return {table: sorted(some, key=lambda row: str(sorted(row.items()))) for table, some in found.items()}


def files(root: Path) -> dict[str, Any]:
    """Each folder below a root, and each file with its bytes, its permissions and the time of its last change."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        about = (path.read_bytes(), stat.S_IMODE(status.st_mode), status.st_mtime_ns) if path.is_file() else "folder"
        found[str(path.relative_to(root))] = about
    return found

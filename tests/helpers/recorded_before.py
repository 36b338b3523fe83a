"""The store that commit c9b722d recorded, which `data/recorded/README.md` describes."""

import gzip
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

RECORDED = Path(__file__).parents[1] / "data" / "recorded"
OLD_FOLDER = "/recorded"  # where the runs were recorded; the store holds it in absolute paths
COLUMNS_WITH_PATHS = (("experiments", "artifact_location"), ("runs", "artifact_uri"), ("tags", "value"))


def unpack(folder: Path) -> None:
    """The recorded store as if its runs had been made in `folder`."""
    outputs = folder / "outputs"
    shutil.copytree(RECORDED / "artifacts", outputs / "artifacts")
    with closing(sqlite3.connect(outputs / "mlflow.db")) as store:
        store.executescript(gzip.decompress((RECORDED / "store.sql.gz").read_bytes()).decode())
        for table, column in COLUMNS_WITH_PATHS:
            moved = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} LIKE ?"
            store.execute(moved, (str(folder), len(OLD_FOLDER) + 1, f"{OLD_FOLDER}/%"))
        store.commit()

"""The file formats that `problem=file` reads, by the endings of their names."""

import lzma
import zipfile
import zlib
from collections.abc import Mapping

from polyexp.problem.files.csv import CSV
from polyexp.problem.files.format import Format
from polyexp.problem.files.npz import NPZ
from polyexp.problem.files.parquet import Parquet

__all__ = ["FILE_ENDINGS", "FORMATS", "UNREADABLE"]

FORMATS: Mapping[str, type[Format]] = {
    ".csv": CSV,
    ".csv.gz": CSV,
    ".tsv": CSV,
    ".tsv.gz": CSV,
    ".parquet": Parquet,
    ".npz": NPZ,
}
FILE_ENDINGS = tuple(FORMATS)
UNREADABLE = (OSError, EOFError, ValueError, LookupError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
"""The errors of reading a file that is damaged, forbidden or of another kind; pyarrow's errors derive from them."""

"""The encoding of a text file: that of its byte order mark, UTF-8, or Latin-1 where its header is not UTF-8."""

import codecs
from collections.abc import Iterator

__all__ = ["decoded", "encoding_of", "in_utf8", "is_utf8"]

# The longer marks first, since that of UTF-16 is the beginning of that of UTF-32.
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
GZIP = b"\x1f\x8b\x08"  # the beginning of a compressed file, whatever its name
AS_THEY_ARE = ("utf-8", "utf-8-sig", "ascii", "iso8859-1", "cp1252")  # whose numbers and delimiters are those of ASCII


def encoding_of(head: bytes, named: str) -> str:
    """The encoding of a text.

    Args:
        head: The beginning of the text.
        named: The encoding that the user names; an empty text where the text itself decides.

    Raises:
        ValueError: The text holds null characters, which UTF-8 has none of.
    """
    marked = next((encoding for mark, encoding in MARKS.items() if head.startswith(mark)), "utf-8")
    encoding = named or marked
    if head.startswith(GZIP):
        raise ValueError("it is compressed by gzip: its name must end in .csv.gz")
    line = head.split(b"\n", 1)[0]
    if b"\0" in line and codecs.lookup(encoding).name in AS_THEY_ARE:
        raise ValueError(f"it is not text in UTF-8{_utf16_hint(line)}")
    return encoding


def _utf16_hint(line: bytes) -> str:
    """The setting that reads a line of which every second byte may be 0, as in UTF-16; empty where others are 0."""
    if b"\0" in line[::2] and b"\0" in line[1::2]:
        return ""
    return f"; `problem.encoding=utf-16-{'be' if line.startswith(bytes(1)) else 'le'}` reads UTF-16"


def in_utf8(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """The blocks of a text in UTF-8, without a byte order mark.

    Texts in an encoding that extends ASCII are left as they are: their numbers are the same.
    """
    if codecs.lookup(encoding).name not in AS_THEY_ARE:
        blocks = _transcoded(blocks, encoding)
    first = next(blocks, b"")
    yield first.removeprefix(codecs.BOM_UTF8)
    yield from blocks


def decoded(name: bytes, named: str) -> str:
    """The name of a column.

    Args:
        name: The name as `in_utf8` gives it.
        named: The encoding that the user names; where there is none, a name that is not UTF-8 is Latin-1.

    Raises:
        ValueError: The name does not have the encoding that the user names.
    """
    if named:
        return name.decode(named if codecs.lookup(named).name in AS_THEY_ARE else "utf-8")
    return name.decode("utf-8" if is_utf8(name) else "latin-1")


def is_utf8(text: bytes) -> bool:
    """Whether a text is UTF-8."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _transcoded(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    for block in blocks:
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", final=True).encode()

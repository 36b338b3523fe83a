"""A text file as a stream of blocks of bytes, from which lines may be left out; memory holds a few blocks."""

import io
from collections.abc import Iterable, Iterator
from typing import Any

from polyexp.problem.files.dialect import BLANK, MAX_HEADER_BYTES, Dialect

__all__ = ["Body", "blocks_of", "body", "head_of"]

MAX_BLANK_BYTES = 2**24  # of blank lines or comments after each other


def blocks_of(stream: Any, size: int) -> Iterator[bytes]:
    """The blocks of a binary stream, each of at most `size` bytes."""
    while block := stream.read(size):
        yield bytes(block)


def head_of(blocks: Iterator[bytes]) -> tuple[bytes, bool]:
    """The beginning of a file, which holds its header, and whether that is the whole file."""
    head = b""
    for block in blocks:
        head += block
        if len(head) > MAX_HEADER_BYTES:
            return head[:MAX_HEADER_BYTES], False
    return head, True


def body(blocks: Iterator[bytes], dialect: Dialect, longest: int) -> Iterator[bytes]:
    """The rows in the form that pyarrow reads: without header and comments, with one character between columns.

    Args:
        blocks: All blocks of the file.
        dialect: How the file is written.
        longest: The length that no line may exceed, in bytes.
    """
    rows = _without(blocks, dialect.begin)
    if dialect.comment or dialect.delimiter == BLANK:
        return _bounded((block, _tidied(block, dialect)) for block in _in_lines(rows, longest))
    return _bounded((block, b"\n" if block.isspace() else block) for block in rows)


def _bounded(pairs: Iterable[tuple[bytes, bytes]]) -> Iterator[bytes]:
    """What is left of each block; ValueError where of so many nothing is that there is no end in sight.

    A file of 1 MB can hold 1 GB of blank lines where it is compressed.
    """
    left_out = 0
    for block, rest in pairs:
        left_out = left_out + len(block) if not rest or rest.isspace() else 0
        if left_out > MAX_BLANK_BYTES:
            raise ValueError(f"it has more than {MAX_BLANK_BYTES} bytes of blank lines or comments after each other")
        yield rest


def _without(blocks: Iterator[bytes], begin: int) -> Iterator[bytes]:
    """The blocks without the first `begin` bytes."""
    for block in blocks:
        if begin < len(block):
            yield block[begin:] if begin else block
        begin = max(0, begin - len(block))


def _in_lines(blocks: Iterable[bytes], longest: int) -> Iterator[bytes]:
    """The blocks, cut at the ends of lines."""
    rest = b""
    for block in blocks:
        rest += block
        cut = max(rest.rfind(end) for end in (b"\n", b"\r")) + 1
        if len(rest) - cut > longest:
            raise ValueError(f"a row is longer than {longest} bytes")
        yield rest[:cut]
        rest = rest[cut:]
    yield rest


def _tidied(block: bytes, dialect: Dialect) -> bytes:
    """Whole lines without comments, and with one blank between columns where blanks separate them."""
    if block.isspace():  # which may be a million lines
        return b""
    lines = block.splitlines(keepends=True)
    if dialect.comment:
        lines = [line for line in lines if not line.lstrip().startswith(dialect.comment)]
    if dialect.delimiter == BLANK:
        lines = [b" ".join(line.split()) + b"\n" for line in lines]
    return b"".join(lines)


class Body(io.RawIOBase):
    """Blocks as a file that pyarrow can read.

    Args:
        blocks: The blocks.
    """

    def __init__(self, blocks: Iterator[bytes]) -> None:
        super().__init__()
        self._blocks, self._rest = blocks, b""

    def readable(self) -> bool:
        """True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes, or what is left of them: pyarrow requires a whole row in what it reads at once."""
        while len(self._rest) < size:
            block = next(self._blocks, None)
            if block is None:
                break
            self._rest += block
        read, self._rest = self._rest[:size], self._rest[size:]
        return read

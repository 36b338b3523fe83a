"""What every refusal of wrong input has in common, whatever is wrong with it."""

import resource
import time
from pathlib import Path

from tests.helpers.commands import run_in_process

MAX_LINES, MAX_CHARACTERS = 3, 400
MAX_CPU_SECONDS, MAX_MEMORY = 5, 2**30  # bounds of the damage that input can do; a refusal takes a tenth of a second


def contents(folder: Path) -> dict[str, bytes | None]:
    """All paths below a folder, with the bytes of the files."""
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*")}
    return {name: path.read_bytes() if path.is_file() else None for name, path in found.items()}


def require_refused(folder: Path, *words: str) -> str:
    """Run polyexp with wrong input in a folder, require that it is refused well, and return the sentence.

    That is: exit code 2; at most three lines and 400 characters on stderr and nothing on stdout; no traceback and no control
    characters; nothing written or changed in the folder; bounded processor time and memory.
    """
    before, began, memory = contents(folder), time.process_time(), _peak_memory()
    ended = run_in_process(*words, cwd=folder)
    seconds, memory = time.process_time() - began, _peak_memory() - memory
    assert ended.code == 2, f"exit code {ended.code} after {words}: {ended.out}{ended.err}"
    assert ended.out == ""
    sentence = ended.err.removesuffix("\n")
    assert sentence.startswith("polyexp: ")
    assert len(sentence.splitlines()) <= MAX_LINES, sentence
    assert len(sentence) <= MAX_CHARACTERS, sentence
    assert "Traceback" not in sentence
    assert all(character.isprintable() or character == "\n" for character in sentence), repr(sentence)
    assert contents(folder) == before
    assert seconds < MAX_CPU_SECONDS
    assert memory < MAX_MEMORY
    return sentence.removeprefix("polyexp: ")


def _peak_memory() -> int:
    """The largest memory that this process has had so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

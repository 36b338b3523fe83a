"""Which polyexp this is: its version, and the commit that its source belongs to.

The version is that of the installed package; of an editable install it is the version at the time of installing. The commit
is looked up when it is first asked for: wheels and source distributions carry it in a file, a checkout asks git. The build
hook loads this file by its path, so it imports the standard library alone.
"""

import os
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

__all__ = ["COMMIT_FILE", "commit", "commit_of", "described", "tags"]

COMMIT_FILE = "polyexp/base/commit.txt"  # written into wheel and sdist by hatch_build.py, never into a checkout
GIT_TIMEOUT_SECONDS = 10  # a git that takes longer is not worth waiting for


@cache
def commit() -> str | None:
    """The commit of the source that runs, with `-dirty` after it where that was changed since; None where it is unknown."""
    return commit_of(Path(__file__).parents[2])


def commit_of(root: Path) -> str | None:
    """The commit of the source tree at `root`: from its file, or else from git where `root` is the top of a checkout."""
    try:
        return (root / COMMIT_FILE).read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return _asked_of_git(root) if (root / ".git").exists() else None


def described() -> str:
    """The version and the commit in words, e.g. `0.1.0 (commit 3f2a...)`; the version alone where no commit is known."""
    revision = commit()
    return _installed() + (f" (commit {revision})" if revision else "")


def tags() -> dict[str, str]:
    """The same as tags of a record."""
    revision = commit()
    return {"polyexp.version": _installed()} | ({"polyexp.commit": revision} if revision else {})


@cache
def _installed() -> str:
    """The version of the installed package, whose metadata takes a millisecond to read."""
    return metadata.version("polyexp")


def _asked_of_git(root: Path) -> str | None:
    # Excluding every tag leaves the hash. Inside a hook, git's own variables name another repository or index.
    words = ("git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"  # this must not disturb a git command that runs at the same time
    try:
        done = subprocess.run(
            words, cwd=root, env=environment, capture_output=True, text=True, timeout=GIT_TIMEOUT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None

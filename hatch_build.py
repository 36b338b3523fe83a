"""Hatchling's build hook of polyexp: wheel and sdist carry the commit that they were built from."""

import runpy
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface[Any]):
    """Adds the file that `polyexp.base.version` reads. An editable install has none: there git is asked at run time."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a build."""
        root = Path(self.root)
        source = runpy.run_path(str(root / "polyexp/base/version.py"))
        name = source["COMMIT_FILE"]
        if version == "editable" or (root / name).exists():  # an unpacked sdist has it already
            return
        if commit := source["commit_of"](root):
            self._folder = tempfile.TemporaryDirectory()
            path = Path(self._folder.name) / "commit.txt"
            path.write_text(f"{commit}\n", encoding="ascii")
            build_data["force_include"][str(path)] = name

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called after a build."""
        if hasattr(self, "_folder"):
            self._folder.cleanup()

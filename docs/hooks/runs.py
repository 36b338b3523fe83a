"""The pictures of the tutorial: the runs that its page shows are carried out, and draw them."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["PICTURES", "TUTORIAL", "draw_pictures", "fits_of"]

TUTORIAL = "powers-of-x.md"  # below docs/
PICTURES = "generated/powers-of-x"  # where the page finds those of run 1 in the folder 1, and so on
PROGRAM = "python -m polyexp"


def fits_of(text: str) -> list[list[str]]:
    """The words of the fits on a page, in their order.

    Args:
        text: The page.
    """
    lines = [
        line
        for block in re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    commands = [line.partition(" #")[0].strip() for line in lines if line.startswith(PROGRAM)]
    return [shlex.split(command)[3:] for command in commands if "action=" not in command]


def draw_pictures(text: str, folder: Path) -> dict[str, Path]:
    """Carry out the runs of the tutorial, and return the pictures that it shows by their names below `docs/`.

    Args:
        text: The page.
        folder: The folder of the runs, which is made anew.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, words in enumerate(fits_of(text), start=1):
        command = [sys.executable, "-m", "polyexp", *words, "tracking=none", "quiet=true", f"hydra.run.dir={number}"]
        subprocess.run(command, cwd=folder, check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
    shown = re.findall(rf"\({PICTURES}/(\d+/\w+\.png)\)", text)
    return {f"{PICTURES}/{name}": folder / name for name in shown}

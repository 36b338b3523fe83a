"""Every block of docs/results.md is executed, in its order and in one folder."""

import re
import shlex
from pathlib import Path

import pytest

from tests.helpers.commands import run_python

PAGE = (Path(__file__).parents[1] / "docs/results.md").read_text()
BLOCKS = re.findall(r"```(python|bash)\n(.*?)```", PAGE, re.DOTALL)


def test_every_block_runs(cli, tmp_path):
    for kind, block in BLOCKS:
        if kind == "bash":
            (command,) = block.splitlines()
            code, _, err = cli(*shlex.split(command.removeprefix("python -m polyexp ")))
            assert (code, err) == (0, "")
            continue
        script = tmp_path / "block.py"
        # MLflow's own warnings are no errors of the page.
        script.write_text(
            f"import matplotlib, warnings\nmatplotlib.use('agg')\nwarnings.simplefilter('ignore')\n{block}"
        )
        done = run_python(script, cwd=tmp_path)
        assert done.code == 0, f"{block}\n{done.err}"
        assert bool(done.out) == ("print(" in block)
    assert {"my-fit", "runge.png", "approximation.py"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("kind", ["python", "bash"])
def test_the_page_has_blocks(kind):
    assert [block for name, block in BLOCKS if name == kind]

"""Every experiment is replayed, on this machine and with another processor's code."""

import pytest

from polyexp.backend import environment_of
from polyexp.cli.configs import choices
from tests import kernels
from tests.helpers.commands import run

REPLAY = ("action=replay", "action.run=one", "tracking=none", "hydra.run.dir=two", "report.pictures=none")


def record(tmp_path, *words):
    ended = run(*words, "tracking=none", "hydra.run.dir=one", "report.pictures=none", cwd=tmp_path)
    assert ended.code == 0, ended.err


@pytest.mark.parametrize("name", choices("experiment"))
def test_on_this_machine(name, tmp_path, facts):
    facts(table="replays", fault=name, when="on the same machine")
    record(tmp_path, f"experiment={name}")
    ended = run(*REPLAY, cwd=tmp_path)
    same = (tmp_path / "one/history.csv").read_bytes() == (tmp_path / "two/history.csv").read_bytes()
    facts(exit=ended.code, identical=int(same))
    assert (ended.code, ended.err) == (0, "")
    assert ": identical." in ended.out
    assert same


@pytest.mark.parametrize("environment", [*kernels.environments()], ids=lambda one: one.name)
def test_with_another_processors_code(environment, tmp_path, facts):
    own, reason = environment_of("numpy")["kernel"], environment.reason_to_leave_out()
    name = environment.variables.get("OPENBLAS_CORETYPE", "")
    if reason or own in (name, *kernels.ALIASES.get(name, ())):
        pytest.skip(reason or f"{environment.name} is what this machine uses itself")
    torch = "torch" in environment.name
    facts(table="replays", fault=f"defaults, backend={'torch' if torch else 'numpy'}", when=environment.name)
    record(tmp_path, f"backend={'torch' if torch else 'numpy'}", "loop.steps=400")
    ended = run(*REPLAY, cwd=tmp_path, env=environment.variables)
    sentence = "the kernel of torch was " if torch else "the BLAS kernel was " if name else "numpy"
    facts(exit=ended.code, identical=int(": identical." in ended.out), named=int(sentence in ended.out))
    assert ended.code == (0 if ": identical." in ended.out else 1)
    assert "What differs between the two environments: " in ended.out
    assert sentence in ended.out

"""make test-kernels: the same sample for the same seed, and no environment hides another."""

from types import SimpleNamespace

import pytest

from tests import kernels


class Item:
    def __init__(self, name, *marks):
        self.name, self.marks = name, marks

    def iter_markers(self, name):
        return [mark for mark in self.marks if mark.name == name]


def drawn(seed, share=0.25):
    cuda = pytest.mark.skipif(True, reason="no GPU").mark
    slow = pytest.mark.skipif(False, reason="").mark
    items = [Item(f"test_{i}", *[[], [cuda], [slow]][i % 3]) for i in range(60)]
    given = {"share": share, "share_seed": seed}
    left = []
    hook = SimpleNamespace(pytest_deselected=lambda items: left.extend(items))
    everything = list(items)
    kernels.pytest_collection_modifyitems(SimpleNamespace(getoption=given.get, hook=hook), items)
    assert {*items, *left} == {*everything}
    assert not {*items} & {*left}
    return [item.name for item in items]


def test_a_sample_is_the_same_for_the_same_seed():
    assert drawn("Haswell 1") == drawn("Haswell 1")
    assert drawn("Haswell 1") != drawn("Haswell 2") != drawn("Nehalem 2")
    assert len(drawn("0")) == 10


def test_what_cannot_run_here_is_not_drawn():
    assert drawn("0", share=1.0) == [f"test_{i}" for i in range(60) if i % 3 != 1]


def environment(name, probed, expected="ours"):
    return kernels.Environment(name, {}, probed, lambda found: found == expected)


def test_every_environment_is_run_and_named(monkeypatch, capsys):
    programs = "print('ours')", "print('another')", "import os; os.kill(os.getpid(), 4)", "print('ours')"
    made = [environment(name, code) for name, code in zip("ABCD", programs, strict=True)]

    def tests(environment, share, seed):
        failed = environment.name == "A"
        output = "what failed" if failed else "2 passed"
        return environment, SimpleNamespace(returncode=int(failed), stdout=output, stderr=""), 1.0

    monkeypatch.setattr(kernels, "environments", lambda: iter(made))
    monkeypatch.setattr(kernels, "tests", tests)
    monkeypatch.setattr("sys.argv", ["kernels", "--seed", "5"])
    assert kernels.main() == 1
    printed = capsys.readouterr().out
    for line in (
        "SEED=5",
        "B: left out, asked for B, the library took another.",
        "C: left out, this processor lacks its instructions (signal 4).",
        "what failed",
        "D: 2 passed (1 s)",
        "Failed: A.",
    ):
        assert line in printed


def test_only_these_processes_choose_a_kernel(monkeypatch):
    monkeypatch.setenv("OPENBLAS_L2_SIZE", "512")
    program = "import os; print(os.environ.get('OPENBLAS_CORETYPE'), os.environ.get('OPENBLAS_L2_SIZE'))"
    assert kernels.kernel("Haswell").run("-c", program).stdout.split() == ["Haswell", "None"]
    assert environment("plain", "").run("-c", program).stdout.split()[1] == "512"

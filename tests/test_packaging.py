"""What `pyproject.toml` declares, and which version and commit polyexp says it has."""

import ast
import importlib.metadata
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest

import polyexp
from polyexp.base import version
from tests.helpers.commands import execute, run_python

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
DISTRIBUTIONS = {
    "PIL": "pillow",
    "griffe": "griffelib",
    "hydra": "hydra-core",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
GIT = shutil.which("git")


def names(requirements):
    """The distributions in a list of requirements, as the registry spells them."""
    return [re.match(r"[\w.-]+", one)[0].lower().replace("_", "-") for one in requirements]


def required(extra=None):
    """The requirements of the package, or of an extra, with those of other extras that it includes."""
    for one in EXTRAS[extra] if extra else PROJECT["project"]["dependencies"]:
        included = re.fullmatch(r"polyexp\[(\w+)\]", one)
        yield from required(included[1]) if included else [one]


def third_party(paths):
    """The distributions whose modules are imported anywhere in these files."""
    own = {"polyexp", "benchmarks", "docs", "tests", "hydra_plugins"} | {
        path.stem for path in (ROOT / "tests").glob("*.py")
    }
    modules = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                modules.add(node.module.split(".")[0])
    foreign = modules - own - set(sys.stdlib_module_names)
    return {DISTRIBUTIONS.get(name, name).lower().replace("_", "-") for name in foreign}


JAX = set((ROOT / "polyexp/backend").glob("jax*.py"))  # what the extra jax is for
WORKERS = set((ROOT / "polyexp/cli").glob("*workers.py"))


@pytest.mark.parametrize(
    ("paths", "extras"),
    [
        (set((ROOT / "polyexp").rglob("*.py")) - JAX - WORKERS, ()),
        (JAX, ("jax",)),
        (WORKERS, ("joblib", "submitit", "ray")),
        (set((ROOT / "tests").rglob("*.py")), ("dev",)),
        (set((ROOT / "benchmarks").rglob("*.py")), ("bench",)),
        (set((ROOT / "docs").rglob("*.py")), ("docs",)),
    ],
    ids=["polyexp", "jax", "workers", "tests", "benchmarks", "docs"],
)
def test_what_is_imported_is_declared(paths, extras):
    declared = [*required(), *(one for extra in extras for one in required(extra))]
    assert paths
    assert third_party(paths) - set(names(declared)) == set()


def test_everything_is_declared_once():
    for requirements in (PROJECT["project"]["dependencies"], *EXTRAS.values()):
        assert len(set(names(requirements))) == len(requirements)


def test_the_tests_can_build_without_isolation():
    assert set(names(PROJECT["build-system"]["requires"])) <= set(names(EXTRAS["dev"]))


@pytest.mark.parametrize("extra", [None, "jax", "dev"])
def test_what_is_declared_has_an_exact_version(extra):
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = names(line for line in lines if not line.startswith("#"))
    assert set(names(required(extra))) - set(pinned) == set()


def test_the_package_is_typed():
    assert "Typing :: Typed" in PROJECT["project"]["classifiers"]
    assert (ROOT / "polyexp/py.typed").read_bytes() == b""


# The version


def git(*words, cwd):
    done = execute([GIT, "-c", "user.name=Test", "-c", "user.email=", *words], cwd)
    assert done.code == 0, done.err
    return done.out


@pytest.fixture
def project(tmp_path):
    """A folder with what the version is made from, without git."""
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


def committed(project, commits):
    """The folder as a repository with that many commits; the hash of the last."""
    git("init", "--quiet", cwd=project)
    git("add", ".", cwd=project)
    for number in range(commits):
        git("commit", "--quiet", "--allow-empty", "--message", str(number), cwd=project)
    return git("rev-parse", "HEAD", cwd=project)


def built_version(project):
    done = execute([sys.executable, "-m", "hatchling", "metadata", "version"], project)
    assert done.code == 0, done.err
    return done.out.strip()


needs_git = pytest.mark.skipif(not GIT, reason="git is not installed")


def test_without_git_the_version_is_the_fallback(project):
    assert built_version(project) == "0.1.0"


@needs_git
def test_without_tags_commits_are_counted(project):
    commit = committed(project, 3)
    assert built_version(project) == f"0.1.0.dev3+g{commit[:9]}"


@needs_git
def test_a_shallow_clone_has_a_version(project, tmp_path):
    commit = committed(project, 3)
    git("clone", "--quiet", "--depth", "1", project.as_uri(), tmp_path / "shallow", cwd=tmp_path)
    assert built_version(tmp_path / "shallow") == f"0.1.0.dev1+g{commit[:9]}"


@needs_git
def test_a_tag_is_the_version(project):
    committed(project, 2)
    git("tag", "v0.1.0", cwd=project)
    assert built_version(project) == "0.1.0"


@needs_git
def test_commits_after_a_tag_count_towards_the_next_version(project):
    committed(project, 1)
    git("tag", "v0.1.0", cwd=project)
    commit = committed(project, 2)
    assert built_version(project) == f"0.1.1.dev2+g{commit[:9]}"


@needs_git
def test_changes_put_no_date_into_the_version(project):
    commit = committed(project, 1)
    (project / "README.md").write_text("changed")
    assert built_version(project) == f"0.1.0.dev1+g{commit[:9]}"


def test_the_version_is_that_of_the_installed_package():
    assert polyexp.__version__ == importlib.metadata.version("polyexp")


# The commit


@needs_git
def test_a_checkout_asks_git(project, monkeypatch):
    commit = committed(project, 2).strip()
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # as git sets it for hooks
    assert version.commit_of(project) == commit
    (project / "README.md").write_text("changed")
    assert version.commit_of(project) == f"{commit}-dirty"


@needs_git
def test_a_tag_does_not_hide_the_commit(project):
    commit = committed(project, 1).strip()
    git("tag", "--annotate", "--message", "", "v0.1.0", cwd=project)
    assert version.commit_of(project) == commit


def test_wheel_and_sdist_read_their_file(tmp_path):
    path = tmp_path / version.COMMIT_FILE
    path.parent.mkdir(parents=True)
    path.write_text("0123abcd\n")
    (tmp_path / ".git").mkdir()  # of whoever keeps the unpacked sdist in a repository
    assert version.commit_of(tmp_path) == "0123abcd"


def test_without_file_and_git_no_commit_is_known(tmp_path, monkeypatch):
    assert version.commit_of(tmp_path) is None
    (tmp_path / ".git").mkdir()
    assert version.commit_of(tmp_path) is None  # no repository
    monkeypatch.setenv("PATH", str(tmp_path))
    assert version.commit_of(tmp_path) is None  # no git


@pytest.mark.parametrize(("commit", "words"), [(None, ""), ("0123-dirty", " (commit 0123-dirty)")])
def test_an_unknown_commit_is_left_out(commit, words, monkeypatch):
    monkeypatch.setattr(version, "commit", lambda: commit)
    assert version.described() == polyexp.__version__ + words
    expected = {"polyexp.version": polyexp.__version__} | ({"polyexp.commit": commit} if commit else {})
    assert version.tags() == expected


def test_importing_polyexp_does_not_ask_git():
    code = "import sys, polyexp\nfrom polyexp.base import version\nprint(version.commit.cache_info().currsize)"
    assert run_python(code).out == "0\n"


def test_no_checkout_carries_the_file_of_the_build():
    """It would hide what git says."""
    if (ROOT / ".git").exists():
        assert not (ROOT / version.COMMIT_FILE).exists()

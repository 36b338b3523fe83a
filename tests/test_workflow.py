"""The files of the workflow: Makefile, pre-commit, GitHub's, and what CONTRIBUTING.md and the other pages say of them."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
import yaml

from tests.helpers.commands import execute

ROOT = Path(__file__).parents[1]
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml"))  # but not config.yml
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

pytestmark = pytest.mark.skipif(not FORMS, reason="an archive of the source has no workflow files")


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def loaded(name):
    return yaml.safe_load(read(name))


# make


def phony():
    (names,) = re.findall(r"^\.PHONY: (.*)", MAKEFILE, re.MULTILINE)
    return names.split()


def test_phony_targets_are_the_targets():
    assert sorted(phony()) == sorted(set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)))


def test_make_help_lists_every_target_with_one_line():
    listed = execute(["make", "help"], ROOT).out
    lines = re.findall(r"^make ([a-z-]+) +(\S.*)$", listed, re.MULTILINE)
    assert sorted(target for target, _ in lines) == sorted(phony())
    for variable in re.findall(r"^([A-Z]+) \?=", MAKEFILE, re.MULTILINE):
        assert re.search(rf"^{variable} +\S", listed, re.MULTILINE), variable


def test_make_alone_is_make_run():
    assert re.findall(r"^\.DEFAULT_GOAL := (.*)", MAKEFILE, re.MULTILINE) == ["run"]


PAGES = [
    ".ci/run",
    ".github/pull_request_template.md",
    ".github/workflows/ci.yml",
    ".pre-commit-config.yaml",
    "CONTRIBUTING.md",
    "README.md",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")),
]


def targets_named_in(page):
    """What follows `make` in code: between backticks, and in a script, a workflow or a block of code at the start of a line."""
    text = read(page)
    blocks = "\n".join(re.findall(r"```.*?\n(.*?)```", text, re.DOTALL)) if page.endswith(".md") else text
    start = r"^(?: *- run: )?make ([a-z][a-z-]*)"
    return {*re.findall(r"`make ([a-z][a-z-]*)", text), *re.findall(start, blocks, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES)
def test_every_target_that_a_page_names_exists(page):
    assert targets_named_in(page) <= set(phony())


def test_targets_are_found_in_pages_of_every_kind():
    """The check above would notice a wrong one."""
    assert {"lint", "test", "help"} <= targets_named_in("CONTRIBUTING.md")
    assert {"lint", "run"} <= targets_named_in(".ci/run") & targets_named_in(".github/workflows/ci.yml")
    assert {"run", "docs"} <= targets_named_in("README.md")


# CONTRIBUTING.md


def test_every_path_that_contributing_names_exists():
    roots = r"(?:polyexp|conf|tests|docs|benchmarks|\.github)"
    named = set(re.findall(rf"`({roots}/[\w./-]*)`", read("CONTRIBUTING.md")))
    assert len(named) > 10
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
    patterns = set(re.findall(rf"`({roots}/[\w./-]*)<\w+>[\w.]*`", read("CONTRIBUTING.md")))
    assert [path for path in sorted(patterns) if not (ROOT / path).is_dir()] == []


def test_contributing_lists_every_folder_as_a_row():
    (block,) = re.findall(r"```text\n(base ·.*?)```", read("CONTRIBUTING.md"), re.DOTALL)
    rows = re.findall(r"\w+", block)
    assert len(set(rows)) == len(rows)
    found = {path.stem for path in (ROOT / "polyexp").iterdir() if (path.is_dir() or path.suffix == ".py")}
    assert {name for name in found if not name.startswith("_")} - {"conf"} <= set(rows)


# One version of ruff and mypy


def hooks():
    return [hook for repo in loaded(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]


def test_pre_commit_runs_what_make_lint_runs():
    (recipe,) = re.findall(r"^lint:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    commands = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()]
    assert [hook["entry"] for hook in hooks()] == commands


def test_pre_commit_takes_the_tools_of_the_environment():
    """No version stands in .pre-commit-config.yaml, so that none can differ from constraints.txt."""
    assert [repo["repo"] for repo in loaded(".pre-commit-config.yaml")["repos"]] == ["local"]
    assert {hook["language"] for hook in hooks()} == {"system"}
    assert not any(hook["pass_filenames"] for hook in hooks())  # everything, as make lint does


@pytest.mark.parametrize("tool", ["ruff", "mypy"])
def test_the_tools_are_those_of_constraints_txt(tool):
    (pinned,) = re.findall(rf"^{tool}==(.*)", read("constraints.txt"), re.MULTILINE)
    try:
        assert version(tool) == pinned
    except PackageNotFoundError:
        pytest.skip(f"{tool} is not installed here")


# GitHub


def workflow():
    return loaded(".github/workflows/ci.yml")


def steps(key):
    return [step[key] for job in workflow()["jobs"].values() for step in job["steps"] if key in step]


def test_the_workflow_runs_every_python_that_the_package_names():
    classifiers = tomllib.loads(read("pyproject.toml"))["project"]["classifiers"]
    named = [one.rpartition(" :: ")[2] for one in classifiers if re.search(r":: Python :: 3\.\d+$", one)]
    assert workflow()["jobs"]["test"]["strategy"]["matrix"]["python-version"] == named
    oldest = tomllib.loads(read("pyproject.toml"))["project"]["requires-python"]
    assert oldest == f">={named[0]}"
    full = [
        step["with"]["python-version"] for step in workflow()["jobs"]["full"]["steps"] if "setup-python" in str(step)
    ]
    assert full == [named[0]]


def test_the_workflow_runs_the_checks():
    assert {"make lint", "make test", ".ci/run"} <= set(steps("run"))
    assert all((ROOT / command).is_file() for command in steps("run") if command.startswith("."))


def test_the_workflow_may_read_and_nothing_else():
    assert workflow()["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in workflow()["jobs"].values())


def test_no_job_of_the_workflow_runs_for_ever():
    assert all(0 < job["timeout-minutes"] <= 90 for job in workflow()["jobs"].values())
    assert workflow()["concurrency"]["cancel-in-progress"]


def test_the_workflow_uses_versions_of_githubs_own_actions():
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", used) for used in steps("uses"))


def test_the_workflow_fetches_the_tags():
    fetched = [step["with"] for job in workflow()["jobs"].values() for step in job["steps"] if "checkout" in str(step)]
    assert [one["fetch-depth"] for one in fetched] == [0] * len(workflow()["jobs"])
    assert not any(one["persist-credentials"] for one in fetched)


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_an_issue_form_is_complete(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert form.keys() == {"name", "description", "labels", "body"}
    assert len({field["id"] for field in form["body"]}) == len(form["body"])
    assert {field["type"] for field in form["body"]} <= {"input", "textarea", "dropdown", "checkboxes"}
    assert all(field["attributes"]["label"] for field in form["body"])
    assert any(field.get("validations", {}).get("required") for field in form["body"])


def test_there_is_a_form_for_each_kind_of_issue():
    assert [path.stem for path in FORMS] == ["bug", "idea"]


# The glossary


def test_the_glossary_defines_each_term_once_in_order():
    terms = re.findall(r"^\*\*(.+?)\*\*: \S", read("docs/glossary.md"), re.MULTILINE)
    assert terms == sorted(set(terms), key=str.casefold)
    assert len(terms) == read("docs/glossary.md").count("\n**")


def test_no_word_of_the_glossary_stands_for_itself():
    for entry in re.findall(r"^\*\*(.+?)\*\*:(.*?)(?=^\n|\Z)", read("docs/glossary.md"), re.MULTILINE | re.DOTALL):
        term, text = entry
        words = re.split(r"[,.()]\s*", text.rpartition("*Not:*")[2])
        assert term not in [word.strip() for word in words]

"""What docs/hooks makes of polyexp: the reference of all settings and of the Python interface, and the notebook."""

import inspect
import json
import re
from dataclasses import fields, replace
from functools import cache

import pytest
import yaml
from omegaconf import ListConfig, OmegaConf

import polyexp
from docs.hooks.interface import interface_pages, names_by_row
from docs.hooks.notebook import NOTEBOOK, NOTEBOOK_PAGE, notebook_files
from docs.hooks.runs import PICTURES, TUTORIAL, fits_of
from docs.hooks.settings import reference_pages
from docs.hooks.shapes import lost_shapes, with_shapes
from polyexp.base import InputError, spell
from polyexp.cli.configs import ConfigFiles, choices, conf_dir
from polyexp.experiment import GROUPS, build
from tests.helpers.config import composed
from tests.helpers.pages import ROOT, text_of

CHOICES = [(group, choice) for group in GROUPS for choice in choices(group)]
CELLS = json.loads((ROOT / "docs" / NOTEBOOK).read_text(encoding="utf-8"))["cells"]


@cache
def pages():
    """The pages of the reference, which are made once."""
    return reference_pages()


@cache
def rows(group, choice):
    """What the reference says of the settings of a choice, by their keys: in its own section, and of every choice."""
    parts = re.split(r"^## ", pages()[f"reference/{group}.md"], flags=re.MULTILINE)
    heads = (f"{group}={choice}\n", "Settings of every choice\n")
    lines = [line for part in parts if part.startswith(heads) for line in part.splitlines() if line.startswith("| `")]
    cells = [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return {key.strip("`"): rest for key, *rest in cells}


@cache
def composed_choice(group, choice):
    """The part of a configuration that a choice describes, and the component that is made of it."""
    more = ["problem.path=data.csv"] if choice == "file" else []
    cfg = composed(f"{group}={choice}", *more)
    if choice == "file":
        return cfg[group], ConfigFiles().component(group, choice)(path="data.csv")
    return cfg[group], getattr(build(cfg), group)


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_the_reference_has_every_setting_with_its_default_and_its_comment(group, choice):
    found = rows(group, choice)
    values, component = composed_choice(group, choice)
    assert found.keys() == {f"{group}.{one.name}" for one in fields(component)}
    files = "\n".join(path.read_text(encoding="utf-8") for path in conf_dir().rglob("*.yaml"))
    for key, (default, _, comment) in found.items():
        value = "" if key == "problem.path" else values[key.partition(".")[2]]  # which it must be given
        assert is_same(default.strip("`"), value), key
        assert re.search(
            rf"^{key.partition('.')[2]}: .* # {re.escape(comment.replace('&lt;', '<'))}$", files, re.MULTILINE
        )


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_the_ranges_of_the_reference_are_those_that_are_checked(group, choice):
    _, component = composed_choice(group, choice)
    for key, (_, allowed, _) in rows(group, choice).items():
        for value, is_allowed in edges(allowed):
            assert accepts(component, key.partition(".")[2], value) == is_allowed, (key, value)


def is_same(text, value):
    """Whether a text is a value as it can be typed; numbers may be spelt otherwise."""
    if isinstance(value, float):
        return float(text) == value
    return text == (spell(OmegaConf.to_object(value) if isinstance(value, ListConfig) else value) or '""')


def edges(allowed):
    """Values at the ends of a range, and beyond them, with whether they are allowed."""
    if found := re.match(r"a whole number from (\d+) to (\d+)", allowed):
        low, high = map(int, found.groups())
        yield from ((low, True), (high, True), (low - 1, False), (high + 1, False))
    elif found := re.match(r"a whole number of at least (\d+)", allowed):
        yield from ((int(found[1]), True), (int(found[1]) - 1, False))
    elif found := re.match(r"one of ([\w, ]+)", allowed):
        words = [word for word in found[1].split(", ") if re.fullmatch(r"\w+", word) and word != "null"]
        yield from ((word, True) for word in words)
        yield "no such word", False
    elif allowed.startswith("a finite number above 0"):
        yield from ((1e-300, True), (0.0, False))
    elif allowed.startswith("a number from 0 to below 1"):
        yield from ((0.0, True), (1.0, False))


def accepts(component, name, value):
    try:
        replace(component, **{name: value})
    except InputError:
        return False
    return True


def test_edges_are_found_in_the_words_of_every_kind_of_range():
    found = [
        allowed for group, choice in CHOICES for _, allowed, _ in rows(group, choice).values() if list(edges(allowed))
    ]
    assert len(found) > len(CHOICES)


def test_the_first_page_of_the_reference_has_every_group_and_experiment():
    index = pages()["reference/index.md"]
    for group, choice in CHOICES:
        (row,) = re.findall(rf"^\| \[`{group}`\].*$", index, re.MULTILINE)
        assert f"`{choice}`" in row
    assert all(f"| `{name}` |" in index for name in choices("experiment"))


def test_the_interface_has_a_directive_for_every_public_name():
    text = "\n".join(interface_pages().values())
    assert sorted(re.findall(r"^::: polyexp\.(\w+)$", text, re.MULTILINE)) == sorted(
        {*polyexp.__all__} - {"__version__"}
    )
    assert all(names for names in names_by_row().values())


@pytest.mark.parametrize("name", sorted({*polyexp.__all__} - {"__version__"}))
def test_no_shape_of_the_interface_becomes_a_heading_or_italics(name):
    """What `make docs` refuses in the pages that it makes is refused here in what they are made of."""
    for text in map(with_shapes, docstrings(getattr(polyexp, name))):
        prose = re.sub(r"`[^`]*`|^ *(>>>|\.\.\.) .*$", "", text, flags=re.MULTILINE)
        assert re.findall(r"^ *#.*$|\(\*\w.*$|\b[Ss]hape \([A-Z].*$", prose, re.MULTILINE) == []


def docstrings(value):
    """What is written on a class or a function, and on the public members of the class."""
    members = [one for key, one in inspect.getmembers(value) if inspect.isclass(value) and not key.startswith("_")]
    return [text for one in (value, *members) if (text := inspect.getdoc(one))]


def test_shapes_are_shown_as_code():
    written = (
        "Their y. # shape: (N,)\n\n# shape: (*runs, K) -> (*runs,)\n\n>>> (1,)  # no shape: (N,)\n`(*runs, K)` is it."
    )
    shown = (
        "Their y. Shape `(N,)`.\n\nShape `(*runs, K)` -> `(*runs,)`.\n\n>>> (1,)  # no shape: (N,)\n`(*runs, K)` is it."
    )
    assert with_shapes(written) == shown
    lost = '<h4 id="a">shape: (<em>runs, K) -&gt; (</em>runs,)</h4>'
    assert lost_shapes(lost) == ['<h4 id="a">shape: (', "<em>runs, K) -&gt; (</em>"]
    assert lost_shapes("<h4>A head</h4><p>Shape <code>(*runs, K)</code>.</p>") == []


def test_every_page_is_in_the_navigation():
    class Loader(yaml.SafeLoader):
        """A loader that reads the tags of MkDocs as their values."""

    nav = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)["nav"]
    named = set(re.findall(r"[\w/.-]+\.md", json.dumps(nav)))
    written = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    made = {*pages(), *interface_pages(), NOTEBOOK_PAGE, "changelog.md", "contributing.md"}
    assert named == written | made


@pytest.mark.parametrize(("words", "page"), [("custom model", "own-model"), ("rest api", "serving")])
def test_pages_have_the_words_that_others_use_for_their_subject(words, page):
    """What is not on a page, a search for it does not find."""
    assert re.search(rf"\b{words}\b", text_of(f"docs/{page}.md"), re.IGNORECASE)


def test_the_tutorial_shows_pictures_of_its_five_runs():
    text = text_of(f"docs/{TUTORIAL}")
    assert len(fits_of(text)) == 5
    assert {int(number) for number in re.findall(rf"\({PICTURES}/(\d)/", text)} == {1, 2, 3, 4, 5}


# The notebook


def test_the_notebook_is_kept_without_outputs_and_its_cells_are_short():
    code = [cell for cell in CELLS if cell["cell_type"] == "code"]
    assert len(code) > 10
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    assert max(len("".join(cell["source"]).splitlines()) for cell in code) <= 16


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_notebook_runs_and_is_a_page():
    files = notebook_files(ROOT / "docs" / NOTEBOOK)
    page = files[NOTEBOOK_PAGE]
    assert page.count("```python") == sum(cell["cell_type"] == "code" for cell in CELLS)
    assert re.search(r"^ 4000 10\.453$", page, re.MULTILINE)  # the loss of the original program
    assert page.count("10.453") == 2  # and of polyexp
    assert "CONVERGED after 73 steps" in page
    pictures = [name for name in files if name.endswith(".png")]
    assert len(pictures) == 3
    assert all(files[name].startswith(b"\x89PNG") for name in pictures)

"""The shape of the package, read from its source: which module imports which, what is public, what is imported late."""

import ast
import importlib
import inspect
import io
import tokenize
from pathlib import Path

import pytest

import polyexp
from tests.helpers.commands import loaded_by, run_python

ROOT = Path(polyexp.__file__).parent

# A row imports only from the rows above it; a folder counts as one row. `polyexp` is the __init__, which imports
# everything from `base` to `fitting`, and of `tracking` what records a result.
ROWS = (
    "base",
    "problem",
    "model",
    "device",
    "backend",
    "loop",
    "optimizer",
    "exact",
    "fitting",
    "crosscheck",
    "polyexp",
    "report",
    "export",
    "tracking",
    "comparison",
    "experiment",
    "sweep",
    "action",
    "cli",
    "__main__",
)
MAX_LINES, MAX_FUNCTION_LINES = 300, 15
HYDRA = ("experiment", "sweep", "cli")  # what may import Hydra and OmegaConf
SOURCES = {path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(ROOT.rglob("*.py"))}
MODULES = {".".join(("polyexp", *path.with_suffix("").parts)).removesuffix(".__init__"): path for path in SOURCES}

every_source = pytest.mark.parametrize("path", SOURCES, ids=str)


def row(path):
    """The row of a source file, e.g. `loop` of loop/manual.py."""
    return "polyexp" if path == Path("__init__.py") else path.with_suffix("").parts[0]


def imported(nodes):
    """The dotted names of everything that these nodes import; `from a import b` gives a.b where that is a module."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else str(node.module) for name in full)


def at_import(tree):
    """The nodes that run when a module is imported: not those inside functions."""
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            waiting.extend(ast.iter_child_nodes(node))


def own(name):
    """The row of polyexp that a dotted name belongs to, or None."""
    parts = name.split(".")
    return None if parts[0] != "polyexp" else parts[1] if len(parts) > 1 else "polyexp"


def test_every_module_has_its_row():
    assert {row(path) for path in SOURCES} == set(ROWS)


@pytest.mark.parametrize("folder", [path.parent for path in SOURCES if path.name == "__init__.py"], ids=str)
def test_no_public_name_is_also_a_module(folder):
    """`import polyexp.fit` must not give a function."""
    inside = (ROOT / folder).iterdir()
    modules = {path.stem for path in inside if path.suffix == ".py" or (path / "__init__.py").exists()}
    name = ".".join(("polyexp", *folder.parts))
    assert not modules & set(importlib.import_module(name).__all__ if "_plugins" not in name else ())


def test_no_module_is_long():
    lines = {str(path): len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {path: n for path, n in lines.items() if n > MAX_LINES} == {}


def test_nine_of_ten_functions_are_short():
    """Lines of code, without blank ones, comments and docstrings."""
    lengths = sorted(length for path in SOURCES for length in lengths_of_functions(path))
    assert lengths[len(lengths) * 9 // 10] < MAX_FUNCTION_LINES


def lengths_of_functions(path):
    """The number of lines of code of the body of each function of a file."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    for node in ast.walk(SOURCES[path]):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            code = lines[body[0].lineno - 1 : node.end_lineno] if body else []
            yield sum(1 for line in code if line.strip() and not line.strip().startswith("#"))


@pytest.mark.parametrize("path", [path for path in SOURCES if row(path) != "polyexp"], ids=str)
def test_a_module_imports_only_from_the_rows_above(path):
    here = row(path)
    for name in imported(ast.walk(SOURCES[path])):
        if (there := own(name)) is not None:
            assert there == here or ROWS.index(there) < ROWS.index(here), f"{path} imports {name}"


def test_what_a_result_leaves_to_later_rows_is_there():
    """The one table that names later rows: each function takes the result first, and nothing else imports modules by name."""
    from polyexp.fitting.later import LATER

    for method, (module, function) in LATER.items():
        assert hasattr(polyexp.Result, method)
        assert ROWS.index(own(module)) > ROWS.index("fitting")
        found = getattr(importlib.import_module(module), function)
        assert next(iter(inspect.signature(found).parameters)) == "result"
    callers = {str(path) for path, tree in SOURCES.items() if "importlib.import_module" in imported_names(tree)}
    assert callers == {"__init__.py", "base/optional.py", "fitting/later.py"}  # the second, of other libraries


def imported_names(tree):
    """The dotted names that a file imports from modules, also inside functions."""
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return {f"{node.module}.{alias.name}" for node in nodes for alias in node.names}


@every_source
def test_heavy_libraries_are_imported_late(path):
    tops = {name.split(".")[0] for name in imported(at_import(SOURCES[path]))}
    assert ("torch" in tops) == (path == Path("backend/torch_function.py"))
    assert not tops & {"mlflow", "pandas", "sqlalchemy", "matplotlib", "plotly"}


@every_source
def test_hydra_is_known_to_few(path):
    anywhere = {name.split(".")[0] for name in imported(ast.walk(SOURCES[path]))}
    if row(path) not in HYDRA:
        assert not anywhere & {"hydra", "omegaconf"}


@every_source
def test_mlflow_is_known_to_tracking_alone(path):
    if row(path) != "tracking":
        assert "mlflow" not in {name.split(".")[0] for name in imported(ast.walk(SOURCES[path]))}


# The words of the code (docs/glossary.md)

PRIVATE_WORDS = {"look", "looks", "known", "say", "gather", "stated", "promise", "promises", "letters"}


@every_source
def test_identifiers_are_words_of_the_glossary(path):
    tokens = tokenize.generate_tokens(io.StringIO((ROOT / path).read_text(encoding="utf-8")).readline)
    words = {word for token in tokens if token.type == tokenize.NAME for word in token.string.lower().split("_")}
    assert words & PRIVATE_WORDS == set()


# What is public

LIBRARY = [name for name, path in MODULES.items() if row(path) != "__main__" and "_plugins" not in path.parts]


@pytest.mark.parametrize("name", LIBRARY)
def test_all_is_what_there_is(name):
    module = importlib.import_module(name)
    assert len(set(module.__all__)) == len(module.__all__)
    for public in module.__all__:
        assert hasattr(module, public), public


@pytest.mark.parametrize("path", [path for path in SOURCES if path.name == "__init__.py"], ids=str)
def test_what_a_package_gathers_is_public(path):
    name = next(name for name, of in MODULES.items() if of == path)
    names = {alias.asname or alias.name for node in at_import(SOURCES[path]) for alias in names_of(node)}
    assert set(importlib.import_module(name).__all__) - {"__version__"} == names


def names_of(node):
    own = isinstance(node, ast.ImportFrom) and node.module.startswith("polyexp.")
    return node.names if own else []


@pytest.mark.parametrize("name", [name for name in polyexp.__all__ if name != "__version__"])
def test_every_public_name_is_documented(name):
    thing = getattr(polyexp, name)
    text = vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__
    assert text
    assert not text.startswith(f"{name}(")  # what a dataclass generates without a docstring


def undocumented(body, prefix=""):
    """The public classes, functions and methods without a docstring."""
    for node in body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_"):
            if not ast.get_docstring(node):
                yield prefix + node.name
            if isinstance(node, ast.ClassDef):
                yield from undocumented(node.body, f"{prefix}{node.name}.")


@every_source
def test_everything_public_has_a_docstring(path):
    assert ast.get_docstring(SOURCES[path])
    assert list(undocumented(SOURCES[path].body)) == []


# What importing costs


def test_importing_polyexp_imports_no_other_package():
    assert loaded_by("import polyexp") == []
    assert loaded_by("import sys, polyexp\nassert 'numpy' not in sys.modules") == []
    assert loaded_by("import sys, polyexp\npolyexp.Samples\nassert 'numpy' in sys.modules") == []


def test_nothing_is_imported_before_the_line_of_the_start():
    """The modules that the entrypoint imports at once: those of the standard library, and four of polyexp."""
    own = "sorted(name for name in sys.modules if name.partition('.')[0] == 'polyexp')"
    done = run_python(f"import sys, polyexp.__main__\nassert 'numpy' not in sys.modules\nprint(*{own})")
    parts = ("__main__", "cli", "cli.signals", "cli.standard_streams", "cli.starting")
    modules = ["polyexp", *(f"polyexp.{one}" for one in parts)]
    assert done.out.split() == modules


def test_a_public_name_is_that_of_its_part():
    """`import polyexp` imports none of them, and each is there when it is asked for first, in whatever way."""
    names = {
        alias.name: node.module
        for node in at_import(SOURCES[Path("__init__.py")])
        if isinstance(node, ast.ImportFrom)
        for alias in names_of(node)
    }
    for name, home in names.items():
        assert getattr(polyexp, name) is getattr(importlib.import_module(home), name)
    assert {home.removeprefix("polyexp.") for home in names.values()} == {*polyexp.PARTS, "tracking"}
    assert set(polyexp.__all__) <= set(dir(polyexp))
    for first in (
        "from polyexp import fit",
        "from polyexp import *\nfit, Samples",
        "import polyexp\npolyexp.fit",
        "import polyexp\npolyexp.model.PowerSeries",
        "import polyexp\nassert polyexp.Component.registry['model', 'legendre']",
        "import polyexp\nassert 'fit' in dir(polyexp)",
        "import polyexp\nassert polyexp.__version__",
    ):
        assert loaded_by(first) == []


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'polyexp' has no attribute 'fitt'"):
        polyexp.fitt  # noqa: B018


def test_a_numpy_run_loads_neither_torch_nor_mlflow():
    fit = "polyexp.fit(polyexp.Problem(num_samples=9), polyexp.Legendre(), backend=polyexp.NumPy(), "
    loop = "loop=polyexp.Manual(steps=3), device=polyexp.Auto())"
    assert loaded_by(f"import polyexp\n{fit}{loop}.power_series") == []


def test_a_torch_run_does_load_torch():
    """Otherwise the test above would pass whatever is loaded."""
    fit = "polyexp.fit(polyexp.Problem(num_samples=9), polyexp.Legendre(), loop=polyexp.Autograd(steps=3))"
    assert loaded_by(f"import polyexp\n{fit}") == ["torch"]


# The tests themselves

TESTS = Path(__file__).parent
TEST_FILES = {
    path.name: ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(TESTS.glob("*.py"))
    if path.name == "conftest.py" or path.name.startswith("test_")
}
STARTS_PROGRAMS = ("subprocess", "pty", "multiprocessing", "runpy", "polyexp.__main__", "hydra")

every_test_file = pytest.mark.parametrize("name", TEST_FILES)


def modules_of(tree):
    """The dotted names of everything that a file imports, with `a` and `a.b` for `from a import b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))


@every_test_file
def test_no_test_file_imports_from_another_one(name):
    """What two of them need belongs into tests/helpers."""
    siblings = {Path(sibling).stem for sibling in TEST_FILES}
    for module in modules_of(TEST_FILES[name]):
        assert module.removeprefix("tests.").split(".")[0] not in siblings, module


@every_test_file
def test_programs_are_started_by_the_helpers_alone(name):
    """One way to run the command line: tests/helpers/commands.py (and servers, terminal and config beside it)."""
    found = set(modules_of(TEST_FILES[name]))
    assert not [module for module in STARTS_PROGRAMS if module in found]
    calls = {ast.unparse(node.func) for node in ast.walk(TEST_FILES[name]) if isinstance(node, ast.Call)}
    assert not [call for call in calls if call.startswith(("os.exec", "os.fork", "os.popen", "os.spawn", "os.system"))]


def test_conftest_holds_fixtures_and_hooks_alone():
    functions = [node for node in TEST_FILES["conftest.py"].body if isinstance(node, ast.FunctionDef)]
    assert functions
    for function in functions:
        decorators = [ast.unparse(one) for one in function.decorator_list]
        assert function.name.startswith("pytest_") or any(one.startswith("pytest.fixture") for one in decorators)
    others = {type(node) for node in TEST_FILES["conftest.py"].body} - {ast.FunctionDef}
    assert others <= {ast.Expr, ast.Import, ast.ImportFrom}

"""Every public name has an example that runs, and an Args section that names each of its arguments."""

import doctest
import inspect
import re
from enum import Enum

import pytest

import polyexp

NAMES = [name for name in polyexp.__all__ if name != "__version__"]
SECTION = re.compile(r"^(\w+):$")
ENTRY = re.compile(r"^ {4}\*{0,2}(\w+)(?: \(.*?\))?: \S")  # continued lines are indented further

every_name = pytest.mark.parametrize("name", NAMES)


def arguments(public):
    """The names of the arguments that a function or a constructor takes; an enumeration has members instead."""
    if isinstance(public, type) and issubclass(public, Enum):
        return []
    if isinstance(public, type) and issubclass(public, BaseException):
        return ["args"]
    return list(inspect.signature(public).parameters)


def documented(docstring):
    """The names in the Args section, in their order; [] without such a section."""
    section, names = "", []
    for line in docstring.splitlines():
        if heading := SECTION.match(line):
            section = heading[1]
        elif section == "Args" and (entry := ENTRY.match(line)):
            names.append(entry[1])
    return names


@pytest.mark.parametrize("name", ["polyexp", *NAMES])
def test_example_runs(name):
    public = polyexp if name == "polyexp" else getattr(polyexp, name)
    tests = doctest.DocTestFinder(recurse=False).find(public, name, globs={})
    assert sum(len(test.examples) for test in tests) > 0, f"the docstring of {name} has no example"
    report = []
    runner = doctest.DocTestRunner(verbose=False)
    for test in tests:
        runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)


@every_name
def test_every_argument_is_documented(name):
    public = getattr(polyexp, name)
    assert sorted(documented(inspect.getdoc(public) or "")) == sorted(arguments(public))


def test_entries_of_the_args_section_only():
    docstring = """A summary: of one line.

Args:
    first: A text that goes on
        second: on the next line.
    third (int): With a type.
    *others: Any number.

Returns:
    fourth: No argument.
"""
    assert documented(docstring) == ["first", "third", "others"]
    assert documented("Without a section.\n\n    fifth: No argument.") == []

"""Names that an exported function cannot have: C, Python or the library of C uses them, or they are no names."""

import pytest

from tests.helpers.refusals import require_refused

NAMES = {
    "an empty name": "''",
    "a digit first": "2f",
    "a blank": "'a b'",
    "a hyphen": "my-sine",
    "a dot": "math.sin",
    "a semicolon": "'f;'",
    "code": "'f(x): pass'",
    "a command of LaTeX": "'\\input'",
    "a brace": "'f}'",
    "a letter beyond ASCII": "'naïve'",
    "a long name": "a" * 64,
    "an underscore first": "_f",
    "a dunder": "__init__",
    "the dunder of a module": "__import__",
    "a number": "7",
    "the name that the code calls": "range",
    "a builtin": "print",
    "another builtin": "exec",
    "an exception": "ValueError",
    "a keyword of Python": "lambda",
    "another keyword of Python": "def",
    "a constant of Python": "None",
    "a soft keyword of Python": "match",
    "a keyword of C": "double",
    "another keyword of C": "for",
    "a type of C99": "_Bool",
    "a keyword of C23": "constexpr",
    "the beginning of a program": "main",
    "a keyword of C++": "class",
    "the output of C": "printf",
    "a mathematical function": "sinl",
    "a Bessel function": "j0",
    "the memory of C": "malloc",
    "a function of POSIX": "write",
    "a macro of gcc": "linux",
    "a function of rounding": "roundf",
}


@pytest.mark.parametrize("word", NAMES.values(), ids=NAMES)
def test_a_name_is_refused(word, tmp_path):
    sentence = require_refused(tmp_path, "action=export", "action.run=abcdef12", f"action.function={word}")
    assert sentence.startswith("`action.function` must be a name that C and Python allow")

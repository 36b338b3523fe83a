"""An exported polynomial in each format.

The numbers are exact: each is the shortest text that gives the same number when it is read.
"""

import io
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from polyexp.base import printable
from polyexp.export.accuracy import Accuracy
from polyexp.export.formula import Formula

__all__ = ["FORMATS", "Exported"]


@dataclass(frozen=True)
class Exported:
    """A formula with what a format writes beside it.

    Args:
        function: The name of the function in source code.
        formula: The formula.
        source: A phrase on the model, its degree and its target.
        run_id: The id of the run; empty where it is not recorded.
        accuracy: The accuracy of the formula.
    """

    function: str
    formula: Formula
    source: str
    run_id: str
    accuracy: Accuracy

    @property
    def precision(self) -> str:
        """The name of the precision, float64 or float32."""
        return str(self.formula.coefficients.dtype)

    def lines(self) -> list[str]:
        """The comment in the source code: the origin, the formula, the domain and the accuracy, each in one line."""
        run = f", run {self.run_id}" if self.run_id else ""
        origin = f"{self.function}(x): {self.source}{run}."
        return [printable(line) for line in (origin, self.formula_line(), *self.accuracy.lines())]

    def formula_line(self) -> str:
        """The formula, and the scheme by which it is evaluated."""
        if self.formula.basis.powers:
            return f"y = sum over k of c[k] x^k, by Horner's scheme in {self.precision}."
        z = f"{_exact_text(self.formula.offset)} + {_exact_text(self.formula.scale)} x"
        basis = self.formula.basis
        return (
            f"y = sum over k of c[k] {basis.symbol}_k(z), z = {z}, with {basis.title}, "
            f"by Clenshaw's recurrence in {self.precision}."
        )

    def term(self, k: int) -> str:
        """The name of the k-th basis function."""
        return f"x^{k}" if self.formula.basis.powers else f"{self.formula.basis.symbol}_{k}(z)"


C_SOURCE = """\
/*
{comment}
 */
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF /* gcc has it off in -std=c99, and does not know the pragma */
#endif

{real} {function}({real} x)
{{
    static const {real} c[{size}] = {{
{numbers}
    }};
{body}
}}
"""
C_HORNER = """\
    {real} y = c[{degree}];
    for (int k = {degree} - 1; k >= 0; k--)
        y = y * x + c[k];
    return y;"""
C_CLENSHAW = """\
    const {real} z = {offset} + {scale} * x;
    {real} b1 = 0, b2 = 0;
    for (int k = {degree}; k >= 0; k--) {{
        const {real} b0 = c[k] + {alpha} * z * b1 - {beta} * b2;
        b2 = b1;
        b1 = b0;
    }}
    return b1;"""


def c_source(export: Exported) -> str:
    """The formula as a function in C99 that needs no header."""
    formula = export.formula
    real, suffix = ("float", "f") if export.precision == "float32" else ("double", "")
    alpha, beta = (one.format(real=real) for one in formula.basis.c)
    names = {
        "real": real,
        "degree": formula.degree,
        "offset": _exact_text(formula.offset) + suffix,
        "scale": _exact_text(formula.scale) + suffix,
        "alpha": alpha,
        "beta": beta,
    }
    numbers = (
        f"        {_exact_text(c)}{suffix}, /* {export.term(k)}: {float(c).hex()} */"
        for k, c in enumerate(formula.coefficients)
    )
    return C_SOURCE.format(
        comment="\n".join(f" * {_c_comment(line)}" for line in export.lines()),
        function=export.function,
        size=formula.coefficients.size,
        numbers="\n".join(numbers),
        body=(C_HORNER if formula.basis.powers else C_CLENSHAW).format(**names),
        real=real,
    )


PYTHON_SOURCE = """\
{comment}


def {function}(x):
    \"\"\"{title}\"\"\"
{rounding}    c = (
{numbers}
    )
{body}
"""
PYTHON_ROUNDING = """\
    from ctypes import c_float

    def f(value):  # rounded to float32: after every operation, as float32 arithmetic does it
        return c_float(value).value

    x = f(x)
"""
PYTHON_HORNER = """\
    y = c[{degree}]
    for k in range({degree} - 1, -1, -1):
        y = {step}
    return y"""
PYTHON_CLENSHAW = """\
    z = {z}
    b1 = b2 = 0.0
    for k in range({degree}, -1, -1):
        b1, b2 = {step}, b1
    return b1"""
PYTHON_HORNER_STEP = {"float64": "y * x + c[k]", "float32": "f(f(y * x) + c[k])"}
PYTHON_CLENSHAW_STEP = {
    "float64": "c[k] + {alpha} * z * b1 - {beta} * b2",
    "float32": "f(f(c[k] + f(f(f({alpha}) * z) * b1)) - f(f({beta}) * b2))",
}
PYTHON_MAPPING = {"float64": "{offset} + {scale} * x", "float32": "f({offset} + f({scale} * x))"}


def python_source(export: Exported) -> str:
    """The formula as a Python function without imports, except ctypes for float32."""
    formula, precision = export.formula, export.precision
    alpha, beta = formula.basis.python
    numbers = (
        f"        {float(c)!r},  # {export.term(k)}: {float(c).hex()}" for k, c in enumerate(formula.coefficients)
    )
    return PYTHON_SOURCE.format(
        comment="\n".join(f"# {line}" for line in export.lines()),
        function=export.function,
        title="The polynomial that the comment above describes, at one x.",
        rounding=PYTHON_ROUNDING if precision == "float32" else "",
        numbers="\n".join(numbers),
        body=(PYTHON_HORNER if formula.basis.powers else PYTHON_CLENSHAW).format(
            degree=formula.degree,
            z=PYTHON_MAPPING[precision].format(offset=float(formula.offset), scale=float(formula.scale)),
            step=(PYTHON_HORNER_STEP if formula.basis.powers else PYTHON_CLENSHAW_STEP)[precision].format(
                alpha=alpha, beta=beta
            ),
        ),
    )


LATEX_TERMS_PER_ROW = 2  # as many as fit on a line of text with 17 digits each


def latex_source(export: Exported) -> str:
    """The formula as an align* environment of the LaTeX package amsmath."""
    formula = export.formula
    terms = [_latex_term(export, k, c) for k, c in enumerate(formula.coefficients)]
    terms[0] = terms[0].removeprefix("+ ")
    first, *rest = (" ".join(terms[k : k + LATEX_TERMS_PER_ROW]) for k in range(0, len(terms), LATEX_TERMS_PER_ROW))
    rows = [rf"\mathrm{{{_latex_name(export.function)}}}(x) ={{}}& {first}", *(f"& {row}" for row in rest)]
    if not formula.basis.powers:
        z = f"{_latex_number(formula.offset)} {_signed(formula.scale)} x"
        rows.append(rf"z ={{}}& {z}")
    low, high = (_latex_number(one) for one in export.accuracy.domain)
    rows.append(rf"& {low} \leq x \leq {high}")
    comment = "\n".join(f"% {line}" for line in export.lines())
    body = " \\\\\n".join(f"  {row}" for row in rows)
    return f"{comment}\n% Needs \\usepackage{{amsmath}}.\n\\begin{{align*}}\n{body}\n\\end{{align*}}\n"


def _latex_term(export: Exported, k: int, c: Any) -> str:
    basis = export.formula.basis
    name = (rf" x^{{{k}}}" if k else "") if basis.powers else f" {basis.symbol}_{{{k}}}(z)"
    return f"{_signed(c)}{name}"


def _signed(value: Any) -> str:
    number = _latex_number(value)
    return f"- {number[1:]}" if number.startswith("-") else f"+ {number}"


def _latex_number(value: Any) -> str:
    mantissa, _, exponent = _exact_text(value).partition("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}" if exponent else mantissa


def _latex_name(name: str) -> str:
    return name.replace("_", r"\_")


def as_data(export: Exported) -> Mapping[str, Any]:
    """The formula and its accuracy by name; the coefficients belong to the basis, evaluated at z = offset + scale x."""
    return {
        "function": export.function,
        "source": export.source,
        "run": export.run_id,
        "formula": export.formula_line(),
        "basis": export.formula.basis.title,
        "precision": export.precision,
        "coefficients": export.formula.coefficients,
        "offset": export.formula.offset,
        "scale": export.formula.scale,
        **asdict(export.accuracy),
    }


def json_source(export: Exported) -> str:
    """The data as JSON; a float32 number is written as the equal float64 number."""
    data = {key: value.tolist() if hasattr(value, "tolist") else value for key, value in as_data(export).items()}
    # A difference may be too many ulps of a value near zero.
    data = {key: None if value == math.inf else value for key, value in data.items()}
    return json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def numpy_archive(export: Exported) -> bytes:
    """The data as an .npz archive without pickles; nan stands for a number that is not known."""
    stream = io.BytesIO()
    data: dict[str, Any] = {
        key: np.asarray(np.nan if value is None else value) for key, value in as_data(export).items()
    }
    np.savez(stream, allow_pickle=False, **data)
    return stream.getvalue()


def _encoded(write: Callable[[Exported], str]) -> Callable[[Exported], bytes]:
    return lambda export: write(export).encode("utf-8", "backslashreplace")


# The name of the file and the function that gives its content, for each value of action.format.
FORMATS: Mapping[str, tuple[str, Callable[[Exported], bytes]]] = {
    "c": ("polynomial.c", _encoded(c_source)),
    "python": ("polynomial.py", _encoded(python_source)),
    "latex": ("polynomial.tex", _encoded(latex_source)),
    "json": ("polynomial.json", _encoded(json_source)),
    "numpy": ("polynomial.npz", numpy_archive),
}


def _exact_text(value: Any) -> str:
    """The shortest text that gives this number when it is read in its own precision."""
    return str(value)


def _c_comment(line: str) -> str:
    """Text that does not end a C comment and contains neither trigraphs nor characters outside ASCII."""
    plain = line.encode("ascii", "backslashreplace").decode()
    return re.sub(r"(?<=[*/])(?=[*/])|(?<=\?)(?=\?)", " ", plain)

"""An exported polynomial in each format. Numbers are exact: the shortest text that reads back as the same number."""

import io
import json
import keyword
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from polyexp.export.accuracy import Stated
from polyexp.export.formula import Formula

__all__ = ["FORMATS", "Exported", "is_name"]


@dataclass(frozen=True)
class Exported:
    """A formula, the name of its function, where it comes from, and what is stated of it."""

    function: str
    formula: Formula
    source: str
    run_id: str
    stated: Stated

    @property
    def precision(self) -> str:
        """float64 or float32."""
        return str(self.formula.coefficients.dtype)

    def lines(self) -> list[str]:
        """The comment: what it is, the formula, the domain, the errors."""
        return [f"{self.function}(x): {self.source}, run {self.run_id}.", self.formula_line(), *self.stated.lines()]

    def formula_line(self) -> str:
        """The formula and how it is added up."""
        if self.formula.family.powers:
            return f"y = sum over k of c[k] x^k, by Horner's scheme in {self.precision}."
        z = f"{_exact(self.formula.offset)} + {_exact(self.formula.scale)} x"
        family = self.formula.family
        return (
            f"y = sum over k of c[k] {family.symbol}_k(z), z = {z}, with {family.title}, "
            f"by Clenshaw's recurrence in {self.precision}."
        )

    def term(self, k: int) -> str:
        """The name of the k-th basis function."""
        return f"x^{k}" if self.formula.family.powers else f"{self.formula.family.symbol}_{k}(z)"


def is_name(word: str) -> bool:
    """Whether a function may have this name, in C and in Python."""
    allowed = re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", word)
    return bool(allowed) and not keyword.iskeyword(word) and word not in C_KEYWORDS


C_KEYWORDS = set(
    "auto break case char const continue default do double else enum extern float for goto if inline int long main "  # noqa: SIM905
    "register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while".split()
)
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
    """C99, without any header."""
    formula = export.formula
    real, suffix = ("float", "f") if export.precision == "float32" else ("double", "")
    alpha, beta = (one.format(real=real) for one in formula.family.c)
    names = {
        "real": real,
        "degree": formula.degree,
        "offset": _exact(formula.offset) + suffix,
        "scale": _exact(formula.scale) + suffix,
        "alpha": alpha,
        "beta": beta,
    }
    numbers = (
        f"        {_exact(c)}{suffix}, /* {export.term(k)}: {float(c).hex()} */"
        for k, c in enumerate(formula.coefficients)
    )
    return C_SOURCE.format(
        comment="\n".join(f" * {_c_comment(line)}" for line in export.lines()),
        function=export.function,
        size=formula.coefficients.size,
        numbers="\n".join(numbers),
        body=(C_HORNER if formula.family.powers else C_CLENSHAW).format(**names),
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
HORNER_STEP = {"float64": "y * x + c[k]", "float32": "f(f(y * x) + c[k])"}
CLENSHAW_STEP = {
    "float64": "c[k] + {alpha} * z * b1 - {beta} * b2",
    "float32": "f(f(c[k] + f(f(f({alpha}) * z) * b1)) - f(f({beta}) * b2))",
}
MAPPED = {"float64": "{offset} + {scale} * x", "float32": "f({offset} + f({scale} * x))"}


def python_source(export: Exported) -> str:
    """Python, without any import but ctypes for float32."""
    formula, precision = export.formula, export.precision
    alpha, beta = formula.family.python
    numbers = (
        f"        {float(c)!r},  # {export.term(k)}: {float(c).hex()}" for k, c in enumerate(formula.coefficients)
    )
    return PYTHON_SOURCE.format(
        comment="\n".join(f"# {line}" for line in export.lines()),
        function=export.function,
        title="The polynomial that the comment above describes, at one x.",
        rounding=PYTHON_ROUNDING if precision == "float32" else "",
        numbers="\n".join(numbers),
        body=(PYTHON_HORNER if formula.family.powers else PYTHON_CLENSHAW).format(
            degree=formula.degree,
            z=MAPPED[precision].format(offset=float(formula.offset), scale=float(formula.scale)),
            step=(HORNER_STEP if formula.family.powers else CLENSHAW_STEP)[precision].format(alpha=alpha, beta=beta),
        ),
    )


TERMS_A_ROW = 2


def latex_source(export: Exported) -> str:
    """A display of amsmath, to be put into a text."""
    formula = export.formula
    terms = [_latex_term(export, k, c) for k, c in enumerate(formula.coefficients)]
    terms[0] = terms[0].removeprefix("+ ")
    first, *rest = (" ".join(terms[k : k + TERMS_A_ROW]) for k in range(0, len(terms), TERMS_A_ROW))
    rows = [rf"\mathrm{{{_latex_name(export.function)}}}(x) ={{}}& {first}", *(f"& {row}" for row in rest)]
    if not formula.family.powers:
        z = f"{_latex_number(formula.offset)} {_signed(formula.scale)} x"
        rows.append(rf"z ={{}}& {z}")
    low, high = (_latex_number(one) for one in export.stated.domain)
    rows.append(rf"& {low} \leq x \leq {high}")
    comment = "\n".join(f"% {line}" for line in export.lines())
    body = " \\\\\n".join(f"  {row}" for row in rows)
    return f"{comment}\n% Needs \\usepackage{{amsmath}}.\n\\begin{{align*}}\n{body}\n\\end{{align*}}\n"


def _latex_term(export: Exported, k: int, c: Any) -> str:
    family = export.formula.family
    name = (rf" x^{{{k}}}" if k else "") if family.powers else f" {family.symbol}_{{{k}}}(z)"
    return f"{_signed(c)}{name}"


def _signed(value: Any) -> str:
    number = _latex_number(value)
    return f"- {number[1:]}" if number.startswith("-") else f"+ {number}"


def _latex_number(value: Any) -> str:
    mantissa, _, exponent = _exact(value).partition("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}" if exponent else mantissa


def _latex_name(name: str) -> str:
    return name.replace("_", r"\_")


def as_data(export: Exported) -> Mapping[str, Any]:
    """The numbers, by name; coefficients belong to the basis named, after x is mapped to z = offset + scale x."""
    return {
        "function": export.function,
        "source": export.source,
        "run": export.run_id,
        "formula": export.formula_line(),
        "basis": export.formula.family.title,
        "precision": export.precision,
        "coefficients": export.formula.coefficients,
        "offset": export.formula.offset,
        "scale": export.formula.scale,
        **asdict(export.stated),
    }


def json_source(export: Exported) -> str:
    """JSON; a float32 number is written as the float64 that it is."""
    data = {key: value.tolist() if hasattr(value, "tolist") else value for key, value in as_data(export).items()}
    return json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def numpy_archive(export: Exported) -> bytes:
    """An .npz archive of the same, without pickles; what is not known is nan."""
    stream = io.BytesIO()
    data: dict[str, Any] = {
        key: np.asarray(np.nan if value is None else value) for key, value in as_data(export).items()
    }
    np.savez(stream, allow_pickle=False, **data)
    return stream.getvalue()


def _text(write: Callable[[Exported], str]) -> Callable[[Exported], bytes]:
    return lambda export: write(export).encode("utf-8", "backslashreplace")


FORMATS: Mapping[str, tuple[str, Callable[[Exported], bytes]]] = {
    "c": ("polynomial.c", _text(c_source)),
    "python": ("polynomial.py", _text(python_source)),
    "latex": ("polynomial.tex", _text(latex_source)),
    "json": ("polynomial.json", _text(json_source)),
    "numpy": ("polynomial.npz", numpy_archive),
}


def _exact(value: Any) -> str:
    """The shortest text that reads back as this number, in its own precision."""
    return str(value)


def _c_comment(line: str) -> str:
    """Text that neither ends a C comment nor upsets a compiler inside of it (other letters, trigraphs)."""
    plain = line.encode("ascii", "backslashreplace").decode()
    return re.sub(r"(?<=[*/])(?=[*/])|(?<=\?)(?=\?)", " ", plain)

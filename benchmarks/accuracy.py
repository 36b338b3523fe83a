"""`make accuracy`: how many certified digits of NIST's reference problems are found, written to `docs/accuracy.md`."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from benchmarks.__main__ import processor
from tests.helpers.nist import NAMES, DataSet, data_set, fitted, numpy_coefficients, paths

PAGE = Path(__file__).parents[1] / "docs" / "accuracy.md"
TEXT = """# Accuracy

The National Institute of Standards and Technology certifies the coefficients of reference problems for least-squares
software (Statistical Reference Datasets). Five are of degree 5 at x = 0, 1, ..., 20 (Wampler 1970); two of them lie on
their polynomials exactly, and the residuals of the others grow a hundredfold from one to the next. Filip is of degree 10
with 82 observations on [-8.8, -3.1]; its powers of x are so nearly dependent that many programs find no correct digit.

polyexp fits each by gradient descent and by momentum, with `optimizer.learning_rate=auto` and
`optimizer.momentum=auto`, on a Legendre and on a Chebyshev series, from zeros; once in closed form after 10^18 steps and
once by 200 000 steps in float64. The parameters are then converted to powers of x. The table has the number of correct
digits of the coefficient that has fewest: -log10 of its relative error, at most 15, as many as are certified. Beside them
are the fits of `numpy.polynomial`.

{table}

Computed on {processor}, OpenBLAS kernel {kernel}, NumPy {version}, by `make accuracy`. The digits differ
between processors, those of NumPy's own fits by up to 0.7. `tests/test_nist.py` requires that each way finds, on the
processor that runs it, at least as many digits as the worst of NumPy's three fits less 1.5, or as the condition of the
problem leaves; and that `best_loss` in `result.json` equals the certified residual sum of squares divided by the number
of observations to 12 digits.
"""


def columns(data: DataSet) -> Iterator[tuple[str, float]]:
    """The digits of one problem, by the way in which they are computed."""
    for name, found in numpy_coefficients(data):
        yield f"`numpy.polynomial.{name}.fit`", data.digits(found)
    for path in paths():
        yield ", ".join(path), data.digits(fitted(data, *path).power_series)


def table() -> str:
    """The table in Markdown, with a row for each way."""
    found = [dict(columns(data_set(name))) for name in NAMES]
    head = f"| | {' | '.join(name.capitalize() for name in NAMES)} |\n|---|{'--:|' * len(NAMES)}"
    rows = [f"| {way} | {' | '.join(f'{digits[way]:.1f}' for digits in found)} |" for way in found[0]]
    return "\n".join([head, *rows])


def main() -> None:
    """Compute the table on one thread and write the page."""
    with threadpool_limits(1):
        text = table()
    print(text)
    kernels = {one["architecture"] for one in threadpool_info() if one["internal_api"] == "openblas"}
    page = TEXT.format(table=text, processor=processor(), kernel=", ".join(sorted(kernels)), version=np.__version__)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()

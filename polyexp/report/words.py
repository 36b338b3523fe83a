"""A run in words and numbers, as plain text or Markdown."""

import numpy as np

from polyexp.fit import Outcome, Result, State

__all__ = ["coefficients", "description", "headline", "loss_line"]

MAX_ROWS, MAX_FORMULA = 50, 3000  # of a description, which MLflow cuts at 8000 letters


def headline(result: Result) -> str:
    """The fitted formula with its numbers."""
    return result.model.formula(result.params)


def loss_line(state: State) -> str:
    """`Loss at   200 iteration: 98.422`, as the original programs print it; tiny and huge losses in powers of ten."""
    loss = float(state.loss)
    text = f"{loss:>5.3f}" if loss == 0 or 1e-3 <= abs(loss) < 1e6 else f"{loss:.4g}"
    return f"Loss at {state.step:>5} iteration: {text}"


def coefficients(result: Result) -> list[tuple[str, str, str]]:
    """Rows for a table: parameter, value, and the coefficient of the power of x that belongs in this row, if any.

    A power series' parameters are those coefficients, so its last column is empty.
    """
    params = [(name, f"{value: .10g}") for name, value in result.parameters.items()]
    powers = [] if np.array_equal(result.power_series, result.params) else [f"{v: .10g}" for v in result.power_series]
    size = max(len(params), len(powers))
    params += [("", "")] * (size - len(params))
    powers = [f"{power}  x^{k}" for k, power in enumerate(powers)] + [""] * (size - len(powers))
    return [(name, value, power) for (name, value), power in zip(params, powers, strict=True)]


def description(result: Result) -> str:
    """The run's page in MLflow: the formula, how it ended, and the coefficients as a small table, in Markdown."""
    outcome: Outcome = result.outcome
    formula, rows = headline(result), [f"| {' | '.join(row)} |" for row in coefficients(result)]
    if len(rows) > MAX_ROWS:
        rows[MAX_ROWS:] = ["| ... | | |"]
    if len(formula) > MAX_FORMULA:
        formula = f"{formula[:MAX_FORMULA]} ..."
    return (
        f"`{formula}`\n\n"
        f"Loss {result.loss:.4g} after {result.steps} steps. {outcome.name}: {outcome.value}\n\n"
        "| parameter | value | in powers of x |\n|---|---|---|\n" + "\n".join(rows)
    )

"""Comparison of the results of two fits of one run, and of the files that are written from them."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

import polyexp as p
from polyexp.exact import forecast
from polyexp.report.files import write

RTOL = 1e-12


def assert_close(actual: Any, expected: Any, rtol: float, scale: Any = None) -> None:
    """Equal to rtol of `scale`, by default of the largest finite value; None, inf and nan only to themselves."""
    actual, expected = np.array(actual, float), np.array(expected, float)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite])
    scale = np.abs(expected[finite]).max(initial=0) if scale is None else np.broadcast_to(scale, finite.shape)[finite]
    assert (np.abs(actual[finite] - expected[finite]) <= rtol * scale).all()


def assert_same_bits(one: p.Result, other: p.Result) -> None:
    """Equal to the bit, in all but the times and the checkpoint."""
    for name in ("params", "loss", "max_error", "outcome", "steps", "initial"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert (one.excess is None) == (other.excess is None)
    if one.excess is not None:
        np.testing.assert_array_equal(one.excess, other.excess)
    for name in ("step", "params", "loss", "excess", "grad_norm", "length"):
        np.testing.assert_array_equal(getattr(one.history, name), getattr(other.history, name), err_msg=name)


def assert_same_run(part: p.Result, alone: p.Result) -> None:
    """The result of a run of a batch is that of its single fit, up to a relative rounding of RTOL."""
    assert part.runs == alone.runs == ()
    for name in ("loss", "excess", "max_error", "steps", "outcome", "initial", "params", "seconds", "computed_by"):
        assert type(getattr(part, name)) is type(getattr(alone, name)), name
    assert type(part.history.length) is type(alone.history.length)
    assert all(type(value) is float for value in part.parameters.values())
    assert part.outcome is alone.outcome
    assert part.steps == alone.steps
    assert part.history.length == alone.history.length == alone.history.step.size
    np.testing.assert_array_equal(part.history.step, alone.history.step)
    np.testing.assert_array_equal(part.initial, alone.initial)
    assert part.optimizer == alone.optimizer
    assert (part.model, part.computed_by, part.checkpoint) == (alone.model, alone.computed_by, None)

    assert_close(part.params, alone.params, RTOL)
    assert_close(part.loss, alone.loss, RTOL)
    assert_close(part.max_error, alone.max_error, RTOL)
    assert_history(part.history, alone.history, alone.quadratic)
    if alone.quadratic is None:
        assert part.excess is None
    else:
        assert_close(part.excess, alone.excess, 1, excess_tolerance(alone.excess, alone.params, alone.quadratic))


def assert_history(history: Any, expected: Any, quadratic: p.Quadratic | None) -> None:
    """Each row is that of the other history, up to RTOL of the row's parameters and loss."""
    rows = np.abs(expected.params).max(-1)
    assert history.params.shape == expected.params.shape
    assert_close(history.params, expected.params, RTOL, rows[:, None])
    assert_close(history.loss, expected.loss, RTOL, np.abs(expected.loss))
    if quadratic is None:
        assert np.isnan(history.excess).all()
        assert_close(history.grad_norm, expected.grad_norm, RTOL, gradient_scale(expected))
    else:
        # The gradient is H (w - w*), so that a change dw of the parameters changes its norm by at most lambda_max |dw|. Row k
        # holds the gradient of the parameters one update before those of row k, which at most have the size of that row and
        # of the update, rate |g|.
        before = rows + np.abs(expected.grad_norm) / quadratic.largest
        size = expected.params.shape[-1] ** 0.5
        assert_close(
            history.grad_norm, expected.grad_norm, RTOL, expected.grad_norm + quadratic.largest * size * before
        )
        tolerance = excess_tolerance(expected.excess, before[:, None], quadratic)
        assert_close(history.excess, expected.excess, 1, tolerance)


def gradient_scale(history: Any) -> Any:
    """The largest norm of the gradient so far in a history: that of its terms, which cancel towards the optimum."""
    return np.maximum.accumulate(history.grad_norm)


def excess_tolerance(excess: Any, params: Any, quadratic: p.Quadratic) -> Any:
    """How far the excess moves if the parameters move by RTOL of the largest.

    With d = RTOL sqrt(K) max |w|, at least the norm of such a move, the excess E = sum_i lambda_i e_i^2 / 2 moves by at most
    sqrt(2 lambda_max E) d + lambda_max d^2 / 2, because the norm of its gradient is at most sqrt(2 lambda_max E).
    """
    params, largest = np.asarray(params), quadratic.largest
    moved = RTOL * quadratic.optimum.size**0.5 * np.maximum(np.abs(params).max(-1), np.abs(quadratic.optimum).max())
    return RTOL * excess + np.sqrt(2 * largest * excess) * moved + largest * moved**2 / 2


def written(folder: Path, result: p.Result, loop: p.Loop) -> tuple[dict[str, Any], list[str], np.ndarray]:
    """result.json of a single run, and the names and the numbers of its history.csv."""
    optimizer, samples = result.optimizer, result.samples
    json_path, csv_path, _ = write(
        folder, result, forecast(result.model, loop, optimizer, samples, result.initial), {"seed": 0}, ""
    )
    with csv_path.open(newline="") as file:
        names, *rows = csv.reader(file)
    return json.loads(json_path.read_text()), names, np.array(rows, float)


def assert_same_files(folder: Path, part: p.Result, alone: p.Result, loop: p.Loop) -> None:
    """The files that are written from both are the same, to the tolerance of `assert_same_run`."""
    (one, names, rows), (other, other_names, other_rows) = (
        written(folder / name, result, loop) for name, result in (("part", part), ("alone", alone))
    )
    assert one.keys() == other.keys()
    rounded = {"loss", "excess_loss", "max_error", "parameters", "power_series", "hessian_eigenvalues"}
    assert {key: one[key] for key in one.keys() - rounded - {"seconds"}} == {
        key: other[key] for key in other.keys() - rounded - {"seconds"}
    }
    assert_close(one["loss"], other["loss"], RTOL)
    assert_close(one["max_error"], other["max_error"], RTOL)
    assert one["parameters"].keys() == other["parameters"].keys()
    assert_close([*one["parameters"].values()], [*other["parameters"].values()], RTOL)
    # Rows of up to 8 such coefficients are summed, by a matrix whose entries are at most 2^7 for the degrees of the tests.
    assert_close(one["power_series"], other["power_series"], 2**10 * RTOL)
    for when in ("initial", "final"):
        numbers, others = one["hessian_eigenvalues"][when], other["hessian_eigenvalues"][when]
        assert_close(numbers, others, 2**10 * RTOL)
    if alone.quadratic is None:
        assert one["excess_loss"] is other["excess_loss"] is None
    else:
        scale = excess_tolerance(alone.excess, alone.params, alone.quadratic)
        assert_close(one["excess_loss"], other["excess_loss"], 1, scale)
    assert names == other_names == ["step", "loss", "excess", "grad_norm", *alone.model.param_names]
    assert rows.shape == other_rows.shape
    history, expected = (
        p.History(table[:, 0].astype(int), table[:, 4:], *table[:, 1:4].T, length=len(table))
        for table in (rows, other_rows)
    )
    np.testing.assert_array_equal(history.step, expected.step)
    assert_history(history, expected, alone.quadratic)

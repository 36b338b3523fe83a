"""fit(x, y, model): arrays of many kinds, and one sentence for whatever is no such array."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.polynomial import polynomial

import polyexp as p

LINE, PARTS = p.PowerSeries(degree=1), {"backend": p.NumPy(), "loop": p.Manual(steps=5)}
X, Y = [0, 1, 2, 4], [1, 3, 5, 10]


def test_the_fit_is_that_of_samples():
    fitted = p.fit(X, Y, LINE, **PARTS)
    other = p.fit(p.Samples.of(X, Y), LINE, **PARTS)
    assert (fitted.params == other.params).all()
    assert fitted.samples == other.samples


def test_the_optimum_is_that_of_numpy():
    """gradient_descent at the best rate takes a polynomial of degree 1 through four points to its optimum.

    After 3000 steps the excess is rounding; the condition number of the Hessian is below 20.
    """
    result = p.fit(X, Y, LINE, backend=p.NumPy(), loop=p.Manual(steps=3000), optimizer=p.GradientDescent("auto"))
    np.testing.assert_allclose(result.params, polynomial.polyfit(X, Y, 1), rtol=1e-12)


ARRAYS = {
    "lists": (X, Y),
    "tuples": (tuple(X), tuple(Y)),
    "integers": (np.array(X), np.array(Y, np.uint8)),
    "float32": (np.array(X, np.float32), np.array(Y, np.float32)),
    "series": (pd.Series(X, index=list("abcd")), pd.Series(Y, dtype="Int64")),
    "columns": (pd.DataFrame({"x": X})["x"], pd.DataFrame({"y": Y})["y"]),
    "tensors": (torch.tensor(X), torch.tensor(Y, dtype=torch.float32)),
    "not contiguous": (np.repeat(X, 2)[::2], np.array([Y, Y])[1]),
}


@pytest.mark.parametrize(("x", "y"), ARRAYS.values(), ids=ARRAYS)
def test_arrays_of_many_kinds(x, y):
    result = p.fit(x, y, LINE, **PARTS)
    assert (result.params == p.fit(X, Y, LINE, **PARTS).params).all()
    assert result.samples.x.dtype == result.samples.y.dtype == np.float64


def test_arguments_by_name():
    by_place = p.fit(X, Y, LINE, **PARTS)
    assert p.fit(X, y=Y, model=LINE, **PARTS).loss == by_place.loss
    problem = p.Problem(num_samples=9)
    assert p.fit(problem=problem, model=LINE, **PARTS).loss == p.fit(problem, LINE, **PARTS).loss


SOURCE = "a problem, a data file, samples, or the x of samples with their y after it, as in `fit(x, y, model)`"
MODEL = "`model` must be a model, such as `PowerSeries(degree=3)`, got"
WRONG = {
    "other lengths": ((X, Y[:3], LINE), "`x` and `y` must have the same length, got 4 and 3 numbers."),
    "a column": (
        (np.reshape(X, (4, 1)), Y, LINE),
        "`x` must be an array with one axis, got one of shape (4, 1): type `numpy.ravel(x)`.",
    ),
    "a table": (
        (X, np.ones((2, 2)), LINE),
        "`y` must be an array with one axis, got one of shape (2, 2).",
    ),
    "a number": ((1, 2, LINE), "`x` must be an array with one axis, got one of shape ()."),
    "nan": (([0, np.nan, 2, 4], Y, LINE), "`x` must have finite numbers only, got nan at index 1."),
    "inf": (
        (X, [0, np.inf, np.nan, 1], LINE),
        "`y` must have finite numbers only, got inf at index 1, the first of 2 such numbers.",
    ),
    "a missing value": (
        (pd.Series([1, None], dtype="Int64"), [1, 2], LINE),
        "`x` must have finite numbers only, got nan at index 1.",
    ),
    "texts": ((["a"], [1], LINE), "`x` must be an array of numbers, got ['a']."),
    "ragged": (([[1], [2, 3]], Y, LINE), "`x` must be an array of numbers, got [[1], [2, 3]]."),
    "nothing": (([], [], LINE), "`x` must be an array of numbers, got []."),
    "truth values": (([True, False], [1, 2], LINE), "`x` must be an array of numbers, got [True, False]."),
    "complex": (([1j], [1], LINE), "`x` must be an array of numbers, got [1j]."),
    "no y": ((X, LINE), f"`problem` must be {SOURCE}, got [0, 1, 2, 4]."),
    "no model": ((X, Y), f"{MODEL} None."),
    "a class": (
        (X, Y, p.PowerSeries),
        f"{MODEL} <class 'polyexp.model.expansion.PowerSeries'>: write `PowerSeries()`.",
    ),
    "the name of a model": ((X, Y, "power_series"), f"{MODEL} 'power_series': write `PowerSeries()`."),
    "a word for a model": ((X, Y, "cubic"), f"{MODEL} 'cubic'."),
    "an optimizer by its place": (
        (p.Problem(), LINE, p.GradientDescent(0.5)),
        f"{MODEL} GradientDescent(learning_rate=0.5, allow_divergence=False): an optimizer is given by its name, "
        "`optimizer=GradientDescent(...)`.",
    ),
    "a file": (
        ("data/a.csv", LINE),
        f"`problem` must be {SOURCE}, got 'data/a.csv': write `DataFile('data/a.csv', x=..., y=...)`.",
    ),
    "a path": (
        (Path("a.npz"), Y, LINE),
        f"`problem` must be {SOURCE}, got PosixPath('a.npz'): write `DataFile('a.npz', x=..., y=...)`.",
    ),
    "a word": (("sin", LINE), f"`problem` must be {SOURCE}, got 'sin': write `Problem('sin')`."),
    "a problem with y": (
        (p.Problem(), Y, LINE),
        "`y` must be left out where a problem, a data file or samples are given, got [1, 3, 5, 10].",
    ),
    "a problem without a model": ((p.Problem(),), f"{MODEL} None."),
    "2^53 + 1": (([2**53 + 1, 0], [1, 2], LINE), None),
}


@pytest.mark.parametrize(("arguments", "sentence"), WRONG.values(), ids=WRONG)
def test_what_is_no_such_array_is_refused(arguments, sentence):
    with pytest.raises(p.InputError) as raised:
        p.fit(*arguments, **PARTS)
    assert sentence is None or str(raised.value) == sentence


PARTS_AS_WORDS = {
    "loop": ("manual", "a loop, such as `Manual(steps=1000)`, got 'manual': write `Manual()`"),
    "optimizer": (
        "auto",
        """an optimizer, such as `GradientDescent("auto")`, got 'auto': write `GradientDescent("auto")`""",
    ),
    "backend": ("numpy", "a backend, such as `NumPy()`, got 'numpy': write `NumPy()`"),
    "device": ("auto", "a device, such as `CUDA()`, got 'auto': write `Auto()`"),
}


@pytest.mark.parametrize("name", PARTS_AS_WORDS)
def test_words_of_the_command_line_are_refused_with_what_to_write(name):
    word, sentence = PARTS_AS_WORDS[name]
    with pytest.raises(p.InputError) as raised:
        p.fit(X, Y, LINE, **{name: word})
    assert str(raised.value) == f"`{name}` must be {sentence}."
    with pytest.raises(p.InputError, match=rf"^`{name}` must be an? \w+, such as `[^`]+`, got 7\.$"):
        p.fit(X, Y, LINE, **{name: 7})


@pytest.mark.parametrize("target", [X, np.array(X), pd.Series(X)], ids=lambda value: type(value).__name__)
def test_a_problem_is_no_array(target):
    with pytest.raises(
        p.InputError, match=r"samples are fitted by `fit\(x, y, model\)`, and kept with weights by `Samples.of"
    ):
        p.Problem(target, Y)


def test_a_problem_is_no_file():
    with pytest.raises(p.InputError, match=r"in Python by `DataFile\('a.csv', x=..., y=...\)`\.$"):
        p.Problem("a.csv")


CUBIC = p.LegendreSeries(degree=3)
SWAPPED = {
    "the model first": ((CUBIC, X, Y), "problem", "fit(x, y, model)"),
    "the model between": ((X, CUBIC, Y), "y", "fit(x, y, model)"),
    "a model and a problem": ((CUBIC, p.Problem()), "problem", "fit(problem, model)"),
    "a model and samples": ((CUBIC, p.Samples.of(X, Y), None), "problem", "fit(problem, model)"),
    "a model alone": ((CUBIC,), "problem", "fit(problem, model)"),
    "arrays of NumPy": ((CUBIC, np.array(X), np.array(Y)), "problem", "fit(x, y, model)"),
}


@pytest.mark.parametrize(("arguments", "key", "call"), SWAPPED.values(), ids=SWAPPED)
def test_the_data_come_first(arguments, key, call):
    with pytest.raises(p.InputError) as raised:
        p.fit(*arguments, **PARTS)
    assert str(raised.value) == f"`{key}` must not be the model, got {CUBIC}: the data come first, type `{call}`."


def test_an_array_is_no_model():
    with pytest.raises(
        p.InputError, match=r"`model` must be a model, such as `PowerSeries\(degree=3\)`, got \[0, 1, 2, 4\]"
    ):
        p.fit(X, Y, np.array(X), **PARTS)


MASKED = np.ma.masked_array([0.0, 1.0, 2.0, 4.0], [False, True, False, True])
WEIGHTS = np.ma.masked_array([1.0, 2.0], [True, False])
MASKS = {
    "x": ("x", 2, 4, lambda: p.fit(MASKED, Y, LINE, **PARTS)),
    "y": ("y", 2, 4, lambda: p.fit(X, MASKED, LINE, **PARTS)),
    "samples": ("y", 2, 4, lambda: p.Samples.of(X, MASKED)),
    "weights": ("weights", 2, 4, lambda: p.Samples.of(X, Y, weights=MASKED)),
    "params": ("params", 1, 2, lambda: p.fit(X, Y, LINE, params=WEIGHTS, **PARTS)),
    "initial": ("model.initial", 1, 2, lambda: p.PowerSeries(degree=1, initial=WEIGHTS)),
    "rates": ("optimizer.learning_rate", 1, 2, lambda: p.GradientDescent(WEIGHTS)),
    "a result": ("x", 2, 4, lambda: p.fit(X, Y, LINE, **PARTS)(MASKED)),
    "a model": ("params", 1, 2, lambda: LINE(WEIGHTS, X)),
    "a chunk": ("y", 2, 4, lambda: p.reduce_chunks([p.Chunk(np.array(X), MASKED, np.ones(4))], 1)),
}


@pytest.mark.parametrize(("key", "masked", "size", "call"), MASKS.values(), ids=MASKS)
def test_masked_values_are_refused(key, masked, size, call):
    with pytest.raises(p.InputError) as raised:
        call()
    values = f"{masked} masked value{'s' if masked > 1 else ''} among {size}"
    what = f"`{key}[~mask]` with one `mask` for all arrays, or `{key}.compressed()`"
    assert str(raised.value) == f"`{key}` must have no masked values, got {values}: leave them out, type {what}."


def test_what_the_sentence_on_masks_says_to_type():
    mask = MASKED.mask
    result = p.fit(MASKED[~mask], np.array(Y)[~mask], LINE, **PARTS)
    for x in ([0.0, 2.0], MASKED.compressed()):
        np.testing.assert_array_equal(result.params, p.fit(x, [1.0, 5.0], LINE, **PARTS).params)


def test_a_function_that_masks_values_is_not_defined_there():
    with pytest.raises(p.InputError, match=r"`problem.domain` must be an interval where log is finite, got \[-1, 1\]"):
        p.Problem(np.ma.log, domain=[-1, 1]).samples()


def test_a_source_of_masked_values(monkeypatch):
    monkeypatch.setattr(p.Problem, "chunks", lambda *_, **__: iter([(MASKED, np.array(Y), np.ones(4))]))
    with pytest.raises(p.InputError, match=r"^`x` must have no masked values, got 2 masked values among 4: "):
        p.fit(p.Problem(), LINE, **PARTS)


@pytest.mark.parametrize("missing", [None, pd.NA])
def test_a_column_of_objects_with_missing_values(missing):
    with pytest.raises(p.InputError) as raised:
        p.fit(pd.Series([1, missing, 2, 3], dtype=object), Y, LINE, **PARTS)
    text = str(raised.value)
    assert text.startswith("`x` must be an array of numbers, none of which is missing, got 0 ")
    assert text.endswith(": leave out what is missing.")


def test_a_word_is_no_array():
    with pytest.raises(p.InputError, match=r"`problem.sampling` must be one of linspace, uniform, chebyshev, got "):
        p.Problem("sin", sampling=np.array([1, 2]))

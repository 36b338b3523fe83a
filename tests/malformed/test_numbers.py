"""Numbers that are none, that are of another kind, or out of range, for every setting that takes numbers."""

import dataclasses

import pytest

from polyexp.base import Component
from polyexp.cli.kinds import kinds_of
from polyexp.experiment import all_keys
from tests.helpers.config import composed_by
from tests.helpers.refusals import require_refused

FILE, MOMENTUM, ADAM, RMSPROP = "problem=file", "optimizer=momentum", "optimizer=adam", "optimizer=rmsprop"
WHOLE = {
    "seed": (),
    "model.degree": (),
    "problem.num_samples": (),
    "loop.steps": (),
    "loop.log_every": (),
    "loop.patience": (),
    "device.threads": (),
    "device.index": ("device=auto",),
    "action.last": ("action=compare",),
    "action.steps": ("action=crosscheck",),
}
NUMBERS = {
    "problem.noise": (),
    "model.initial_scale": (),
    "loop.tolerance": (),
    "tracking.wait": (),
    "checkpoint.every": (),
}
OPTIMIZERS = {
    "optimizer.learning_rate": (),
    "optimizer.momentum": (MOMENTUM,),
    "optimizer.alpha": (RMSPROP,),
    "optimizer.beta1": (ADAM,),
    "optimizer.beta2": (ADAM,),
    "optimizer.eps": (ADAM,),
}
LISTS = {"problem.domain": (), "model.domain": ("model=legendre_series",)}
CHOOSING = WHOLE | NUMBERS | OPTIMIZERS | LISTS | {"model.initial": ()}  # the words that choose what has the setting

# What is no number, in different ways, as different people write numbers.
NO_NUMBER = (
    "abc",
    "0x10",
    "1e",
    "1..2",
    "--5",
    "1 000",
    "1'000",
    "10%",
    "1/2",
    "٣",
    "½",
    "1;2",
    "(1)",
    "[1",
    "{a:1}",
    "true",
)
NO_WHOLE_NUMBER = ("1.5", "1e-3", "nan", "inf", "1e400", "[1,2]")
LONG = "9" * 5000  # more digits than Python reads


def typed_wrongly():
    """Settings and values, spread so that every setting meets several values and every value several settings."""
    keys = [*WHOLE, *NUMBERS, *LISTS]
    for n, value in enumerate((*NO_NUMBER, *NO_NUMBER, *NO_NUMBER)):
        yield keys[(n * 4 + n // len(NO_NUMBER)) % len(keys)], value
    for n, key in enumerate(WHOLE):
        yield key, NO_WHOLE_NUMBER[n % len(NO_WHOLE_NUMBER)]
        yield key, NO_WHOLE_NUMBER[(n + 3) % len(NO_WHOLE_NUMBER)]


def words_for(key):
    return "a whole number" if key in WHOLE else "a list of numbers" if key in LISTS else "a number"


@pytest.mark.parametrize(("key", "value"), dict.fromkeys(typed_wrongly()))
def test_what_is_no_number_is_refused(tmp_path, key, value):
    sentence = require_refused(tmp_path, *CHOOSING[key], f"{key}={value}")
    assert f"`{key}` must be {words_for(key)}, got {value!r}" in sentence


@pytest.mark.parametrize("key", CHOOSING)
def test_no_value_is_refused(tmp_path, key):
    assert f"`{key}` has no value: type `{key}=...`." in require_refused(tmp_path, *CHOOSING[key], f"{key}=")


@pytest.mark.parametrize("key", [key for key in CHOOSING if type(None) not in kinds_of(key) and key not in OPTIMIZERS])
def test_null_is_refused_where_a_number_is_needed(tmp_path, key):
    assert f"`{key}` must be " in require_refused(tmp_path, *CHOOSING[key], f"{key}=null")


@pytest.mark.parametrize("key", CHOOSING)
def test_several_numbers_are_refused_outside_of_a_sweep(tmp_path, key):
    assert "put -m in front for a sweep" in require_refused(tmp_path, *CHOOSING[key], f"{key}=1,5")


@pytest.mark.parametrize("key", ["seed", "problem.noise", "optimizer.learning_rate", "problem.domain"])
def test_more_digits_than_can_be_read_are_refused(tmp_path, key):
    sentence = require_refused(tmp_path, f"{key}={LONG}")
    assert f"`{key}" in sentence
    assert "9..." in sentence


OUT_OF_RANGE = {
    "seed": ("-1", "4294967296", "1e10"),
    "model.degree": ("-1", "1001", "1e23"),
    "problem.num_samples": ("0", "-5", "1e15"),
    "loop.steps": ("0", "-1", "1e19"),
    "loop.log_every": ("0", "-1e3"),
    "loop.patience": ("0", "-2"),
    "device.threads": ("0", "1025"),
    "device.index": ("-1", "128", "9999999999"),
    "action.last": ("0", "-1"),
    "action.steps": ("0", "-1"),
    "problem.noise": ("-1", "inf", "nan", "-1e-300"),
    "model.initial_scale": ("nan", "inf", "-inf"),
    "loop.tolerance": ("-1", "nan"),
    "tracking.wait": ("-1", "nan", "inf", "86401"),
    "checkpoint.every": ("0", "-1", "nan", "inf"),
    "optimizer.learning_rate": ("0", "-1", "nan", "inf", "1e-400", "true", "fast"),
    "optimizer.momentum": ("1", "-0.1", "nan", "heavy"),
    "optimizer.alpha": ("1", "-1"),
    "optimizer.beta1": ("1.0", "-1e-9", "null"),
    "optimizer.beta2": ("2", "nan"),
    "optimizer.eps": ("0", "-1e-8"),
    "problem.domain": ("[]", "[1]", "[1,1]", "[2,1]", "[nan,1]", "[0,inf]", "[0,1,2]"),
    "model.domain": ("[1]", "[1,0]", "[-inf,0]"),
    "model.initial": ("[1,2]", "[a]", "3", "ones", "[1,2,3,4,5,6,7,true]"),
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in OUT_OF_RANGE.items() for value in values])
def test_a_number_out_of_range_is_refused(tmp_path, key, value):
    assert f"`{key}` must be " in require_refused(tmp_path, *CHOOSING[key], f"{key}={value}")


def test_every_setting_that_takes_numbers_is_here():
    numeric = {int, float, list[float]}
    taken = {key for key in all_keys() if numeric & kinds_of(key)}
    optimizers = [cls for (group, _), cls in Component.registry.items() if group == "optimizer"]
    taken |= {f"optimizer.{one.name}" for cls in optimizers for one in dataclasses.fields(cls)}
    taken -= {"optimizer.allow_divergence", "quiet"}
    assert {key for key in taken if key in all_keys()} <= set(CHOOSING)
    assert set(OUT_OF_RANGE) == set(CHOOSING)


# Right values


@pytest.mark.parametrize("key", WHOLE)
@pytest.mark.parametrize(("typed", "value"), [("7", 7), ("1e1", 10), ("1_0", 10), ("2.0", 2), ("+3", 3)])
def test_a_whole_number_may_be_written_in_several_ways(tmp_path, key, typed, value):
    assert composed_by(tmp_path, *CHOOSING[key], f"{key}={typed}")[key] == value


def test_a_large_whole_number_is_the_one_that_was_typed(tmp_path):
    for typed, value in (("1e18", 10**18), ("1e23", 10**23), ("9007199254740993", 2**53 + 1)):
        assert composed_by(tmp_path, f"loop.log_every={typed}")["loop.log_every"] == value


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize(
    ("typed", "value"), [("0", 0.0), ("1e-3", 1e-3), (".5", 0.5), ("1_000.5", 1000.5), ("+1", 1.0)]
)
def test_a_number_may_be_written_in_several_ways(tmp_path, key, typed, value):
    assert composed_by(tmp_path, *CHOOSING[key], f"{key}={typed}")[key] == value


def test_numbers_of_a_sweep_are_read_one_by_one(tmp_path):
    sentence = require_refused(tmp_path, "-m", "loop.steps=1e1,2e1,1.5")
    assert "`loop.steps` must be a whole number, got '1.5'" in sentence
    sentence = require_refused(tmp_path, "-m", "seed=range(0,1,0.3)")
    assert "`seed` must be a whole number, got '0.3'" in sentence

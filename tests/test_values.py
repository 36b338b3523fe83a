"""Values: comparisons of objects that hold arrays are true or false; and names that two classes want."""

import pickle
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib import import_module
from pkgutil import walk_packages

import numpy as np
import pytest

import polyexp as p
from polyexp.base import Value
from polyexp.base.component import Component
from polyexp.cli.configs import load_plugin

pytestmark = pytest.mark.numeric

PARTS = {"loop": p.Manual(steps=20, log_every=10), "backend": p.NumPy(), "optimizer": p.GradientDescent([0.1, 0.2])}


def samples(**changed):
    return replace(p.Samples.of([1, 2, 3], [4, 5, 6]), **changed)


def result(degree=1):
    return p.fit(samples(), p.PowerSeries(degree=degree), **PARTS, stop=lambda: True)


def snapshot(degree=1):
    seen = []
    p.fit(samples(), p.PowerSeries(degree=degree), **PARTS, observe=seen.append)
    return seen[-1]


MADE = {
    "Samples": (samples, lambda: samples(y=np.array([4.0, 5.0, 7.0]))),
    "Samples of other precision": (samples, lambda: samples(y=np.float32([4, 5, 6]))),
    "Chunk": (lambda: p.Chunk(*np.ones((3, 2))), lambda: p.Chunk(*np.zeros((3, 2)))),
    "Data": (lambda: p.Data(*np.ones((3, 2)), 0.0), lambda: p.Data(*np.ones((3, 2)), 1.0)),
    "Quadratic": tuple(lambda d=d: p.Quadratic.of(p.PowerSeries(d), samples()) for d in (1, 2)),
    "State": (lambda: result().checkpoint.state, lambda: result(2).checkpoint.state),
    "Checkpoint": (lambda: result().checkpoint, lambda: result(2).checkpoint),
    "Snapshot": (snapshot, lambda: snapshot(2)),
    "History": (lambda: result().history, lambda: result(2).history),
    "optimizer": (lambda: p.GradientDescent([0.1, 0.2]), lambda: p.GradientDescent([0.1, 0.3])),
    "optimizer of one run": (lambda: p.GradientDescent(np.array(0.1)), lambda: p.GradientDescent([0.1, 0.3])),
}


@pytest.mark.parametrize(("make", "other"), MADE.values(), ids=MADE)
def test_comparisons_are_true_or_false(make, other):
    one, same = make(), make()
    if hasattr(one, "seconds"):  # the time that it took
        same = replace(same, seconds=one.seconds)
    assert (one == same) is True
    assert (one != same) is False
    assert hash(one) == hash(same)
    for different in (other(), None, "samples", np.ones(3), (1, 2)):
        if isinstance(different, np.ndarray):
            assert not np.any(one == different)
        else:
            assert (one == different) is False
            assert (one != different) is True
    assert len({one, same, other()}) == 2
    assert one in [other(), same]


def test_a_copy_by_pickle_is_equal():
    one = samples()
    assert pickle.loads(pickle.dumps(one)) == one


def test_the_target_does_not_distinguish_samples():
    one = p.Problem("sin", num_samples=3).samples()
    assert one == replace(one, target=None)


def test_every_frozen_class_with_arrays_is_a_value():
    wrong = []
    names = [one.name for one in walk_packages(p.__path__, "polyexp.") if "__main__" not in one.name]
    for name in names:
        for cls in vars(import_module(name)).values():
            if isinstance(cls, type) and is_dataclass(cls) and cls.__module__.startswith("polyexp."):
                arrays = any("ndarray" in str(one.type) and "Callable" not in str(one.type) for one in fields(cls))
                if arrays and cls.__dataclass_params__.frozen and not issubclass(cls, Value):
                    wrong.append(f"{cls.__module__}.{cls.__qualname__}")
    assert sorted(set(wrong)) == ["polyexp.fitting.stepper.ClosedFormStepper"]  # which does, and is no value


def test_samples_are_given_once():
    wanted = "`samples` are those of a problem or a data file; samples to be fitted are given alone"
    with pytest.raises(p.InputError, match=wanted):
        p.fit(samples(), p.PowerSeries(degree=1), samples=samples(), **PARTS)


# Names


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(Component, "registry", dict(Component.registry))
    return Component.registry


def test_a_name_that_is_taken_is_refused(registry):
    ours = p.PowerSeries
    with pytest.raises(p.InputError) as caught:

        @dataclass
        class Other(ours, name="power_series"):
            pass

    assert str(caught.value) == (
        "`model=power_series` is the name of two classes, polyexp.model.expansion.PowerSeries and "
        "tests.test_values.test_a_name_that_is_taken_is_refused.<locals>.Other: give one another name."
    )
    assert registry["model", "power_series"] is ours


def test_a_class_may_be_defined_once_more(registry):
    made = []
    for _ in range(2):

        @dataclass
        class Mine(p.PowerSeries, name="mine"):
            pass

        made.append(Mine)
    assert registry["model", "mine"] is made[1]


def test_one_name_in_two_groups(registry):
    @dataclass
    class Mine(p.PowerSeries, name="adam"):
        pass

    assert registry["model", "adam"] is Mine


def test_the_error_of_a_plugin_is_shown_as_it_is():
    class Plugin:
        name = value = "mine"

        def load(self):
            raise p.InputError("the sentence")

    with pytest.raises(p.InputError, match=r"^the sentence$"):
        load_plugin(Plugin())

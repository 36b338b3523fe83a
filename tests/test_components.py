"""Components are values: they cannot be changed, and equal fields make equal components."""

import copy
import dataclasses
import inspect
import pickle
import re
from dataclasses import FrozenInstanceError, dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest

import polyexp as p

NUMBERS = np.array([0.1, 0.2])

# Components as functions, so that two calls make two objects from equal values.
MADE = {
    "gradient_descent": lambda: p.GradientDescent(0.25),
    "auto": lambda: p.GradientDescent("auto"),
    "array": lambda: p.GradientDescent(NUMBERS.copy()),
    "list": lambda: p.Momentum([0.1, 0.2], momentum=[0.5, 0.9]),
    "grid": lambda: p.Momentum(np.array([[0.1], [0.2]]), momentum=np.array([0.5, 0.9])),
    "nesterov": lambda: p.Nesterov(0.1, momentum=NUMBERS.copy()),
    "rmsprop": lambda: p.RMSprop(0.1, alpha=NUMBERS.copy()),
    "adam": lambda: p.Adam(0.1, beta1=NUMBERS.copy(), eps=[1e-8, 1e-6]),
    "power_series": lambda: p.PowerSeries(degree=2, initial=[1, 2, 3]),
    "initial array": lambda: p.PowerSeries(degree=2, initial=np.array([1.0, 2.0, 3.0])),
    "legendre_series": lambda: p.LegendreSeries(degree=3, domain=[0, 2]),
    "legendre": lambda: p.Legendre(degree=4),
    "problem": lambda: p.Problem("exp", domain=[-1, 1], num_samples=10),
    "manual": lambda: p.Manual(steps=10),
    "closed_form": lambda: p.ClosedForm(steps=10),
    "numpy": p.NumPy,
    "torch": p.Torch,
    "cpu": p.CPU,
}
PAIRS = pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in MADE.items()])


def pickled(component: p.Component) -> Any:
    """The component, pickled and read back."""
    return pickle.loads(pickle.dumps(component))


# Fields cannot be changed


@PAIRS
def test_no_field_can_be_assigned_or_deleted(make):
    component = make()
    before = repr(component)
    kind = type(component).__name__
    for name in [*(one.name for one in dataclasses.fields(component)), "new"]:
        sentence = f"A {kind} cannot be changed: dataclasses.replace(..., {name}=...) makes another one."
        with pytest.raises(FrozenInstanceError, match=f"^{re.escape(sentence)}$"):
            setattr(component, name, 1)
        with pytest.raises(FrozenInstanceError, match=f"^A {kind} cannot be changed\\.$"):
            delattr(component, name)
    assert repr(component) == before


def test_derived_values_follow_a_replaced_field():
    third = p.Legendre(degree=3)
    fifth = replace(third, degree=5)
    params, x = [0, 1, 0, 1], np.linspace(-1, 1, 7)
    of_degree = {n: np.polynomial.Legendre.basis(n)(x) for n in (3, 5)}
    np.testing.assert_allclose(fifth(params, x), of_degree[5], rtol=0, atol=1e-15)
    np.testing.assert_allclose(third(params, x), of_degree[3], rtol=0, atol=1e-15)
    gradient = fifth.backward(np.array([0.0, 1, 0, 1]), x, np.ones(7))
    slope = np.polynomial.Legendre.basis(5).deriv()(x)
    np.testing.assert_allclose(gradient, [7, of_degree[5].sum(), slope.sum(), slope @ x], rtol=1e-13, atol=1e-13)
    assert (fifth.degree, fifth.polynomial_degree, third.degree) == (5, 5, 3)
    assert replace(p.PowerSeries(degree=1), degree=2).param_names == ("w0", "w1", "w2")


@pytest.mark.parametrize(
    ("component", "changed", "key"),
    [
        (p.Legendre(degree=3), {"degree": -5}, "model.degree"),
        (p.PowerSeries(degree=1, initial=[0, 1]), {"degree": 2}, "model.initial"),
        (p.LegendreSeries(), {"domain": [1, 0]}, "model.domain"),
        (p.Momentum(), {"momentum": [0.5, 1.0]}, "optimizer.momentum"),
        (p.Manual(), {"steps": -1}, "loop.steps"),
        (p.Problem(), {"num_samples": -1}, "problem.num_samples"),
    ],
)
def test_replace_validates(component, changed, key):
    with pytest.raises(p.InputError, match=f"^`{key}` must be "):
        replace(component, **changed)


def test_a_given_list_is_kept_as_a_tuple_or_an_array():
    learning_rate, initial, domain = [0.1, 0.2], [1.0, 2.0], [-1.0, 1.0]
    rule, problem = p.GradientDescent(learning_rate), p.Problem(domain=domain)
    model = p.LegendreSeries(degree=1, initial=initial, domain=domain)
    for given in (learning_rate, initial, domain):
        given[0] = 99
        given.append(7)
    assert model.initial == (1.0, 2.0)
    assert model.domain == problem.domain == (-1.0, 1.0)
    assert rule.learning_rate.tolist() == [0.1, 0.2]
    assert rule.learning_rate.dtype == float
    assert not rule.learning_rate.flags.writeable


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (p.GradientDescent, "learning_rate"),
        (lambda array: p.Momentum(momentum=array), "momentum"),
        (lambda array: p.Adam(beta2=array), "beta2"),
        (lambda array: p.PowerSeries(degree=1, initial=array), "initial"),
    ],
)
def test_a_given_array_is_kept_as_a_copy_that_is_read_only(make, name):
    given = NUMBERS.copy()
    component = make(given)
    given[:] = 0.7
    kept = getattr(component, name)
    assert kept.tolist() == [0.1, 0.2]
    for own in (component, replace(component), copy.copy(component), copy.deepcopy(component), pickled(component)):
        with pytest.raises(ValueError, match="read-only"):
            getattr(own, name)[0] = 5


# Equality


@PAIRS
def test_equal_fields_make_equal_components_with_one_hash(make):
    one, other = make(), make()
    assert one is not other
    assert (one == other) is True
    assert (one != other) is False
    assert hash(one) == hash(other)
    assert len({one, other}) == 1


def test_different_components_differ():
    made = [make() for make in MADE.values()]
    made += [p.GradientDescent(0.5), p.GradientDescent([0.1, 0.3]), p.GradientDescent([0.1, 0.2, 0.3])]
    made += [p.GradientDescent(0.25, allow_divergence=True), p.Momentum([0.1, 0.2], momentum=[0.5, 0.8])]
    made += [p.PowerSeries(degree=2, initial=[1, 2, 4]), p.Legendre(degree=5), p.Manual(steps=11)]
    for i, one in enumerate(made):
        for j, other in enumerate(made):
            assert (one == other) is (i == j), (one, other)
            assert (one != other) is (i != j), (one, other)
    assert len(set(made)) == len(made)


def test_components_of_different_classes_are_never_equal():
    series = [kind(degree=3) for kind in (p.PowerSeries, p.LegendreSeries, p.ChebyshevSeries, p.HermiteSeries)]
    for one in series:
        assert [one == other for other in series] == [one is other for other in series]

    class Other(p.GradientDescent):
        """A subclass without fields of its own."""

    assert (Other(0.25) == p.GradientDescent(0.25)) is False
    assert (p.GradientDescent(0.25) == Other(0.25)) is False


@pytest.mark.parametrize("other", [None, 0.25, "gradient_descent", (0.25,), p.GradientDescent])
def test_a_component_is_not_equal_to_another_object(other):
    assert (p.GradientDescent(0.25) == other) is False
    assert (other == p.GradientDescent(0.25)) is False


@PAIRS
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, pickled, replace])
def test_a_copy_is_equal_and_cannot_be_changed(make, again):
    component = make()
    copied = again(component)
    assert type(copied) is type(component)
    assert copied == component
    assert hash(copied) == hash(component)
    assert repr(copied) == repr(component)
    with pytest.raises(FrozenInstanceError):
        copied.new = 1


def test_a_copied_model_computes_the_same():
    model, params, x = p.Legendre(degree=5), [1, 2, 0.1, 0.9], np.linspace(-1, 1, 5)
    for copied in (copy.copy(model), copy.deepcopy(model), pickled(model)):
        np.testing.assert_array_equal(copied(params, x), model(params, x))


# Classes of others


@pytest.fixture
def plugin():
    """A component class as another package writes it: with a plain `@dataclass`."""
    registered = dict(p.Component.registry)

    @dataclass
    class Scaled(p.Optimizer, name="scaled"):
        """Gradient descent with a factor for each run."""

        tunable: ClassVar[tuple[str, ...]] = ()
        factor: Any = 1.0

        def update(self, grad: Any, state: Any) -> Any:
            return -self.learning_rate * self.factor * grad, state

    yield Scaled
    p.Component.registry.clear()
    p.Component.registry.update(registered)


def test_a_class_of_others_behaves_so_too(plugin):
    factor = np.array([1.0, 2.0])
    rule = plugin(0.1, factor=factor)
    factor[0] = 9
    assert p.Component.registry["optimizer", "scaled"] is plugin
    assert rule.factor.tolist() == [1.0, 2.0]
    assert not rule.factor.flags.writeable
    same = plugin(0.1, factor=[1.0, 2.0])
    assert (rule == same) is True
    assert hash(rule) == hash(same)
    assert (rule == plugin(0.1, factor=[1.0, 3.0])) is False
    assert (rule == p.GradientDescent(0.1)) is False
    for copied in (copy.copy(rule), copy.deepcopy(rule), replace(rule)):
        assert copied == rule
    with pytest.raises(FrozenInstanceError, match=r"^A Scaled cannot be changed"):
        rule.factor = 2
    with pytest.raises(p.InputError, match=r"optimizer\.learning_rate"):
        replace(rule, learning_rate=-1)
    assert [*inspect.signature(plugin).parameters] == ["learning_rate", "factor"]
    batch = p.fit(p.Problem("exp", domain=[-1, 1]), p.PowerSeries(degree=1), optimizer=rule, backend=p.NumPy())
    assert batch.runs == (2,)


@dataclass
class Shift:
    """A value that can be changed, and so has no hash."""

    by: float


@dataclass
class Shifted(p.PowerSeries):
    """A power series with a field of such a class."""

    shift: Any = None


def test_a_field_without_a_hash_distinguishes_components_as_an_object():
    shift = Shift(0.5)
    model = Shifted(degree=1, shift=shift)
    assert model == Shifted(degree=1, shift=shift)
    assert hash(model) == hash(Shifted(degree=1, shift=shift))
    assert model != Shifted(degree=1, shift=Shift(0.5))
    fitted = p.fit(p.Problem("exp", domain=[-1, 1]), model, backend=p.NumPy())
    same = p.fit(p.Problem("exp", domain=[-1, 1]), p.PowerSeries(degree=1), backend=p.NumPy())
    np.testing.assert_array_equal(fitted.params, same.params)


def test_a_mapping_is_compared_by_its_items():
    """In any order, and with keys that have none."""
    one, same = Shifted(degree=1, shift={1: [2.0], "a": 3}), Shifted(degree=1, shift={"a": 3, 1: [2.0]})
    assert one == same
    assert hash(one) == hash(same)
    assert one != Shifted(degree=1, shift={1: [2.0], "a": 4}) != Shifted(degree=1, shift={1: [2.0], "b": 4})
    assert one != Shifted(degree=1, shift={1: [2.0]})


def test_the_registry_is_as_before():
    assert ("optimizer", "scaled") not in p.Component.registry


# Signatures, and methods that make another component


@pytest.mark.parametrize("kind", [p.GradientDescent, p.Adam, p.PowerSeries, p.LegendreSeries, p.Legendre, p.Manual])
def test_the_signature_shows_the_fields(kind):
    parameters = inspect.signature(kind).parameters
    fields = {one.name: one for one in dataclasses.fields(kind)}
    assert set(parameters) == set(fields)
    assert "self" not in parameters
    for name, one in fields.items():
        assert parameters[name].default == one.default
        keyword = inspect.Parameter.KEYWORD_ONLY
        assert (parameters[name].kind is keyword) is bool(one.kw_only)


@pytest.mark.parametrize("kind", [p.LegendreSeries, p.ChebyshevSeries, p.HermiteSeries])
def test_a_model_is_not_changed_by_on_domain(kind):
    model = kind(degree=2)
    moved = model.on_domain((0, 2))
    assert (model.domain, moved.domain) == (None, (0, 2))
    assert model == kind(degree=2) != moved
    assert moved.on_domain((5, 6)) is moved
    assert type(moved) is kind


def test_a_backend_is_not_changed_by_on_device():
    backend, same = p.Torch(dtype="float32"), p.Torch(dtype="float32")
    placed = backend.on_device(p.CPU())
    assert placed is not backend
    assert backend == same
    assert repr(backend) == repr(same)
    assert vars(backend).keys() == vars(same).keys()
    assert placed.dtype == "float32"


def test_an_optimizer_is_not_changed_by_on_device():
    rule, same = p.Momentum([0.1, 0.2], momentum=0.5), p.Momentum([0.1, 0.2], momentum=0.5)
    placed = rule.on_device(np.asarray)
    assert (placed.learning_rate.shape, placed.momentum, placed.placed) == ((2, 1), 0.5, True)
    assert rule == same
    assert (rule.learning_rate.shape, rule.placed) == ((2,), False)
    assert not rule.learning_rate.flags.writeable
    with pytest.raises(FrozenInstanceError):
        placed.learning_rate = 1

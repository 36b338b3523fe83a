"""Names of 0.1.0's first commits that people may have typed: each is accepted with a warning that says the new one."""

from dataclasses import dataclass

import numpy as np
import pytest

import polyexp as p


def test_a_model_and_a_backend_are_placed_by_the_former_name():
    with pytest.warns(DeprecationWarning, match=r"`LegendreSeries.on` is now called `on_domain`\."):
        assert p.LegendreSeries(degree=2).on((0, 4)).domain == (0, 4)
    with pytest.warns(DeprecationWarning, match=r"`NumPy.on` is now called `on_device`\."):
        assert str(p.NumPy().on(p.Auto()).device) == "cpu"
    with pytest.warns(DeprecationWarning, match=r"`Adam.on` is now called `on_device`\."):
        assert p.Adam([0.1, 0.2]).on(np.asarray).learning_rate.shape == (2, 1)


def test_a_model_that_overrides_the_former_name_is_told():
    with pytest.raises(TypeError, match=r"`Own.on` must be called `on_domain`, the present name of the method\."):

        @dataclass
        class Own(p.PowerSeries):
            def on(self, domain):
                return self


class Mixin:
    def on(self, domain):
        return self


def test_an_override_by_a_class_beside_it_is_told_too():
    with pytest.raises(TypeError, match=r"`Mixed.on` must be called `on_domain`"):

        @dataclass
        class Mixed(Mixin, p.PowerSeries):
            pass


def test_a_loop_is_told_too():
    with pytest.raises(TypeError, match=r"`OwnLoop.looks` must be called `snapshot_steps`"):
        type("OwnLoop", (p.Manual,), {"looks": lambda self: [1]})


def test_an_error_inside_of_a_property_is_not_hidden():
    @dataclass
    class Misspelt(p.PowerSeries):
        @property
        def param_names(self):
            return self._nmaes

    with pytest.raises(AttributeError, match="_nmaes"):
        Misspelt()


def test_a_public_name_is_found_by_its_former_one():
    with pytest.warns(DeprecationWarning, match=r"`polyexp.Look` is now called `polyexp.Snapshot`\."):
        assert p.Look is p.Snapshot


def test_other_names_are_still_missing():
    with pytest.raises(AttributeError, match="module 'polyexp' has no attribute 'Loook'"):
        _ = p.Loook
    with pytest.raises(AttributeError, match="'PowerSeries' object has no attribute 'degre'"):
        _ = p.PowerSeries().degre

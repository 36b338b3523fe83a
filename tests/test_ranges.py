"""Ranges of values (`linspace`, `geomspace`, `logspace`, `range`) and the axes of a sweep, which are combined or go in step."""

import itertools
import json

import numpy as np
import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

from polyexp.base import InputError
from polyexp.cli import axes
from polyexp.cli.axes import MAX_JOBS, axes_of, effective, jobs_of
from polyexp.cli.config_loader import parse
from polyexp.cli.ranges import number_of_values, spelled_out
from tests.helpers.stores import all_runs

QUICK = ("backend=numpy", "problem.num_samples=20", "model.degree=2", "loop.steps=2", "tracking=none")
RATE = "optimizer.learning_rate"


def values(word):
    """The values of one word of a sweep."""
    (override,) = parse([word])
    return list(override.sweep_iterator())


def combined(*words, zipped=()):
    """The jobs of a sweep with these words."""
    return jobs_of(axes_of(effective(parse(words)), zipped))


def bits(numbers):
    return np.array(numbers, float).tobytes()


NUMBERS = st.integers(1, 50)
ENDS = {
    "linspace": st.tuples(*2 * [st.floats(-1e300, 1e300) | st.integers(-1000, 1000)]),
    "geomspace": st.tuples(*2 * [st.floats(1e-300, 1e300)], st.sampled_from([1, -1])).map(
        lambda drawn: (drawn[0] * drawn[2], drawn[1] * drawn[2])
    ),
    "logspace": st.tuples(*2 * [st.floats(-300, 300) | st.integers(-300, 300)]),
}


@pytest.mark.parametrize("name", ENDS)
@settings(deadline=None, max_examples=60)
@given(data=st.data(), number=NUMBERS)
def test_a_range_has_the_values_of_numpy_to_the_last_bit(name, data, number):
    first, last = data.draw(ENDS[name])
    expected = getattr(np, name)(float(first), float(last), number)
    found = values(f"{RATE}={name}({first!r},{last!r},{number})")
    assert bits(found) == bits(expected)
    whole = [one for one in expected.tolist() if one.is_integer() and abs(one) < 2**53 and str(one) != "-0.0"]
    assert sum(isinstance(one, int) for one in found) == len(whole)


@pytest.mark.parametrize("name", ENDS)
@settings(deadline=None, max_examples=30)
@given(data=st.data(), number=NUMBERS)
def test_the_words_of_jobs_are_read_as_the_same_values(name, data, number):
    """By Hydra's own parser, from which a job has its values."""
    first, last = data.draw(ENDS[name])
    words = [word for (word,) in combined(f"{RATE}={name}({first!r},{last!r},{number})")]
    read = [one.value() for one in OverridesParser.create().parse_overrides(words)]
    assert bits(read) == bits(getattr(np, name)(float(first), float(last), number))
    (override,) = parse([f"{RATE}={name}({first!r},{last!r},{number})"])
    (spelled,) = OverridesParser.create().parse_overrides([spelled_out(override)])
    assert bits(list(spelled.sweep_iterator()) if number > 1 else [spelled.value()]) == bits(read)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("logspace(-2,0,3)", [0.01, 0.1, 1.0]),
        ("logspace( -2 , 0 , num=3 )", [0.01, 0.1, 1.0]),
        ("linspace(start=0,stop=1,num=3)", [0.0, 0.5, 1.0]),
        ("linspace(0,1,1)", [0.0]),
        ("linspace(1,0,1e1)", np.linspace(1, 0, 10).tolist()),
        ("geomspace(-1,-4,3)", [-1.0, -2.0, -4.0]),
        ("geomspace(1e-200,1e-202,3)", np.geomspace(1e-200, 1e-202, 3).tolist()),
        ("sort(linspace(0,1,3),reverse=true)", [1.0, 0.5, 0.0]),
        ("int(linspace(0,4,5))", [0, 1, 2, 3, 4]),
        ("range(0,5)", [0, 1, 2, 3, 4]),
        ("range(5,0,-2)", [5, 3, 1]),
        ("range(3)", [0, 1, 2]),
    ],
)
def test_a_range_is_typed_in_several_ways(typed, expected):
    assert values(f"seed={typed}") == expected


def test_a_range_is_shuffled():
    shuffled = values("seed=shuffle(linspace(0,9,10))")
    assert sorted(shuffled) == [float(one) for one in range(10)]


@pytest.mark.parametrize(("start", "stop", "step"), [(0, 0.3, 0.1), (0, 1, 0.1), (1, 0, -0.25), (0, 7, 3)])
def test_as_many_values_are_counted_as_are_listed(start, stop, step):
    (override,) = parse([f"seed=range({start},{stop},{step})"])
    assert number_of_values(override) == len(list(override.sweep_iterator()))


def test_a_hundred_thousand_seeds_are_listed():
    assert combined("seed=range(0,100000)", "model.degree=3")[-1] == ["seed=99999", "model.degree=3"]


def test_more_jobs_are_refused_before_they_are_listed(monkeypatch):
    monkeypatch.setattr(axes, "product", None)
    words = [f"x{number}=linspace(0,1,100000)" for number in range(70)]
    with pytest.raises(InputError, match=f"at most {MAX_JOBS} jobs, got 1e\\+10"):
        combined(*words[:2])
    with pytest.raises(InputError, match=f"at most {MAX_JOBS} jobs, got inf"):  # more than float64 holds
        combined(*words)


KEYS = ("seed", "model.degree", "loop.steps", "loop.log_every")
COUNTS = st.lists(st.integers(1, 4), min_size=1, max_size=len(KEYS))


@given(COUNTS)
def test_settings_are_combined_in_the_order_of_itertools_product(counts):
    words_of = [[f"{key}={value}" for value in range(count)] for key, count in zip(KEYS, counts, strict=False)]
    words = [f"{key}=range(0,{count})" for key, count in zip(KEYS, counts, strict=False)]
    assert combined(*words) == [list(one) for one in itertools.product(*words_of)]


@given(
    counts=st.lists(st.integers(2, 4), min_size=len(KEYS), max_size=len(KEYS)),
    places=st.lists(st.integers(0, len(KEYS) - 1), min_size=1, max_size=len(KEYS), unique=True),
)
def test_settings_go_in_step_and_the_others_are_combined_with_them(counts, places):
    number = counts[places[0]]
    counts = [number if place in places else count for place, count in enumerate(counts)]
    zipped = [KEYS[place] for place in places]
    jobs = combined(*(f"{key}=range(0,{count})" for key, count in zip(KEYS, counts, strict=True)), zipped=zipped)
    # In the order of the product, of which those jobs are left in which all of them have one index.
    product = (dict(zip(KEYS, one, strict=True)) for one in itertools.product(*map(range, counts)))
    kept = [one for one in product if len({one[key] for key in zipped}) == 1]
    assert [{key: int(value) for key, _, value in (word.partition("=") for word in job)} for job in jobs] == kept
    assert len(jobs) == number * int(np.prod([count for place, count in enumerate(counts) if place not in places]))


def test_of_a_key_that_is_named_twice_the_last_values_count():
    assert combined("seed=range(0,100000)", "loop.steps=1,2", "seed=3") == [
        ["seed=3", f"loop.steps={n}"] for n in (1, 2)
    ]


# Commands


def jobs_in(folder):
    """The configurations of the jobs of the only sweep in a folder, and the overrides that were recorded for them."""
    (sweep,) = folder.glob("outputs/sweeps/*/*")
    jobs = sorted((one.parent for one in sweep.glob("*/result.json")), key=lambda job: int(job.name))
    configs = [yaml.safe_load((job / "config.yaml").read_text()) for job in jobs]
    return configs, [yaml.safe_load((job / ".hydra" / "overrides.yaml").read_text()) for job in jobs]


def test_a_range_is_swept_over(bare_cli, tmp_path):
    ended = bare_cli("-m", *QUICK, f"{RATE}=logspace(-3,-1.8,3)", "seed=range(0,2)")
    assert (ended.code, ended.err) == (0, "")
    configs, overrides = jobs_in(tmp_path)
    rates = np.logspace(-3, -1.8, 3).tolist()
    pairs = list(itertools.product(rates, (0, 1)))
    assert [(one["optimizer"]["learning_rate"], one["seed"]) for one in configs] == pairs
    assert [one[-2:] for one in overrides] == [[f"{RATE}={rate!r}", f"seed={seed}"] for rate, seed in pairs]


@pytest.mark.parametrize("size", ["null", "2"])
def test_keys_of_sweep_zip_go_in_step_and_are_not_passed_on(bare_cli, tmp_path, size):
    words = ("model.degree=1,2,3", "seed=7,8", "loop.steps=range(2,5)", f"hydra.sweeper.max_batch_size={size}")
    ended = bare_cli("-m", *QUICK[:2], "tracking=none", f"{RATE}=1e-3", *words, "sweep.zip=[model.degree,loop.steps]")
    assert (ended.code, ended.err) == (0, "")
    configs, overrides = jobs_in(tmp_path)
    assert [(one["model"]["degree"], one["loop"]["steps"], one["seed"]) for one in configs] == [
        (degree, steps, seed) for degree, steps in ((1, 2), (2, 3), (3, 4)) for seed in (7, 8)
    ]
    assert {one["sweep"]["zip"] == [] for one in configs} == {True}
    assert not [word for one in overrides for word in one if "zip" in word]


def test_choices_go_in_step_with_their_settings(bare_cli, tmp_path):
    words = ("model=power_series,legendre_series", "model.degree=1,2", "sweep.zip=[model.degree,model]")
    assert bare_cli("-m", "backend=numpy", "loop.steps=2", "tracking=none", f"{RATE}=1e-5", *words).code == 0
    configs, overrides = jobs_in(tmp_path)
    assert [one["model"]["degree"] for one in configs] == [1, 2]
    assert [[word for word in one if word.startswith("model=")] for one in overrides] == [
        ["model=power_series"],
        ["model=legendre_series"],
    ]


def test_ranges_and_sweep_zip_stand_in_a_config_file(bare_cli, tmp_path):
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text(
        f"# @package _global_\nsweep: {{zip: [{RATE}, seed]}}\n"
        f"hydra: {{mode: MULTIRUN, sweeper: {{params: {{{RATE}: 'geomspace(1e-4,1e-3,3)', seed: 'range(0,3)'}}}}}}\n"
    )
    ended = bare_cli("--config-dir", "conf", "experiment=mine", *QUICK)
    assert (ended.code, ended.err) == (0, "")
    configs, _ = jobs_in(tmp_path)
    assert [(one["optimizer"]["learning_rate"], one["seed"]) for one in configs] == [
        (rate, seed) for seed, rate in enumerate(np.geomspace(1e-4, 1e-3, 3).tolist())
    ]


def test_the_command_line_replaces_a_range_of_a_config_file(bare_cli, tmp_path):
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    text = "# @package _global_\nhydra: {mode: MULTIRUN, sweeper: {params: {seed: 'range(0,100000)'}}}\n"
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text(text)
    assert (
        bare_cli("--config-dir", "conf", "experiment=mine", *QUICK, f"{RATE}=linspace(1e-4,2e-4,2)", "seed=5").code == 0
    )
    configs, _ = jobs_in(tmp_path)
    assert [(one["optimizer"]["learning_rate"], one["seed"]) for one in configs] == [(1e-4, 5), (2e-4, 5)]


def test_settings_of_the_sweep_are_neither_recorded_as_params_nor_in_names_and_fingerprints(cli, store, tmp_path):
    words = ("backend=numpy", "problem.num_samples=20", f"{RATE}=1e-3", "loop.steps=2,3")
    assert cli("-m", *words, "model.degree=1,2", "sweep.zip=[model.degree,loop.steps]").code == 0
    assert cli("-m", *words, "model.degree=1").code == 0
    results = [json.loads(one.read_text()) for one in sorted(tmp_path.glob("outputs/sweeps/*/*/?/result.json"))]
    assert [one for one in results if "zip" in json.dumps(one.get("settings", {}))] == []
    runs = all_runs(store)
    assert not [key for run in runs for key in run.data.params if key.startswith("sweep")]
    assert not [
        run for run in runs if "zip" in run.info.run_name or "zip" in run.data.tags.get("polyexp.overrides", "")
    ]
    same = [
        run for run in runs if (run.data.params.get("model.degree"), run.data.params.get("loop.steps")) == ("1", "2")
    ]
    assert len(same) == 2
    assert len({run.data.tags["polyexp.fingerprint"] for run in same}) == 1

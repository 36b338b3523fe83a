"""The table, the line and the HTML of a result."""

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import polyexp as p
from tests.helpers.commands import loaded_by, run_python
from tests.helpers.figures import Wave
from tests.helpers.fits import SAMPLES

PARTS = {"backend": p.NumPy(), "loop": p.Manual(steps=30, log_every=10)}
BATCH = p.GradientDescent([1e-3, 1e-2, 1e9], allow_divergence=True)
EVIL = "<script>alert(1)</script> & \"x\" 'y' \x1b[2J"


@pytest.fixture(scope="module")
def single():
    return p.fit(p.Problem(num_samples=20), p.LegendreSeries(degree=2), **PARTS)


@pytest.fixture(scope="module")
def batch():
    return p.fit(SAMPLES, p.LegendreSeries(degree=2), optimizer=BATCH, **PARTS)


def test_a_row_for_each_snapshot(single):
    frame = single.to_frame()
    assert list(frame.columns) == ["step", "loss", "excess", "grad_norm", "w0", "w1", "w2"]
    assert frame["step"].dtype == np.int64
    for name in ("step", "loss", "excess", "grad_norm"):
        np.testing.assert_array_equal(frame[name], getattr(single.history, name))
    np.testing.assert_array_equal(frame[["w0", "w1", "w2"]], single.history.params)


def test_the_table_is_that_of_history_csv(single, tmp_path):
    single.save(tmp_path)
    read = pd.read_csv(tmp_path / "history.csv", dtype=str).astype(float).astype({"step": int})
    pd.testing.assert_frame_equal(read, single.to_frame(), check_exact=True)


def test_a_row_for_each_snapshot_of_each_run_up_to_its_end(batch):
    frame = batch.to_frame()
    assert list(frame.columns[:2]) == ["run", "step"]
    assert frame.groupby("run").size().tolist() == [int(one) for one in batch.history.length]
    for run, part in frame.groupby("run"):
        alone = part.drop(columns="run").reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, batch[run].to_frame(), check_exact=True)
    assert batch.history.length[2] < batch.history.length[0]  # the run that diverged


def test_the_index_of_a_run_has_a_column_for_each_axis():
    rates = p.GradientDescent([[1e-3], [1e-2]])
    frame = p.fit(SAMPLES, p.LegendreSeries(degree=1), optimizer=rates, seed=[0, 1, 2], **PARTS).to_frame()
    assert list(frame.columns[:3]) == ["run_0", "run_1", "step"]
    assert frame.drop_duplicates(["run_0", "run_1"])[["run_0", "run_1"]].to_numpy().tolist() == [
        [0, 0],
        [0, 1],
        [0, 2],
        [1, 0],
        [1, 1],
        [1, 2],
    ]


def test_a_model_that_is_not_linear_has_no_excess():
    frame = p.fit(SAMPLES, p.Legendre(), **PARTS).to_frame()
    assert frame["excess"].isna().all()


def test_without_pandas_one_sentence_says_what_to_type():
    program = """
import sys
sys.modules["pandas"] = None
import polyexp as p
try:
    p.fit([0, 1], [1, 2], p.PowerSeries(degree=1), backend=p.NumPy(), loop=p.Manual(steps=1)).to_frame()
except p.InputError as error:
    print(error)
"""
    done = run_python(program)
    assert done.out == "`to_frame` needs pandas, which is not installed: type `pip install pandas`.\n", done.err


def test_a_fit_imports_neither_pandas_nor_matplotlib():
    fit = "import polyexp as p\nr = p.fit([0, 1], [1, 2], p.PowerSeries(degree=1), backend=p.NumPy(), loop=p.Manual(steps=1))\n"
    check = (
        "import sys\nassert not {'pandas', 'matplotlib', 'sqlite3', 'rich'} & set(sys.modules), sorted(sys.modules)\n"
    )
    assert loaded_by(f"{fit}repr(r)\n{check}") == []
    assert run_python(f"import polyexp\n{check}").code == 0
    assert run_python(f"{fit}r.to_frame()\nimport sys\nassert 'matplotlib' not in sys.modules").code == 0


# One line


def test_the_line_of_a_result(single, batch):
    text = f"<Result: MAX_STEPS after 30 steps, loss {single.loss:.6g}, excess {single.excess:.6g}>"
    assert repr(single) == str(single) == text
    least = f"least loss {batch.loss[1]:.6g}, excess {batch.excess[1]:.6g}, of run [1]"
    assert repr(batch) == f"<Result: 3 runs: 2 MAX_STEPS, 1 DIVERGED; {least}>"
    nonlinear = p.fit(SAMPLES, p.Legendre(), **PARTS)
    assert repr(nonlinear) == f"<Result: MAX_STEPS after 30 steps, loss {nonlinear.loss:.6g}>"


def test_the_line_of_runs_without_a_finite_loss(batch):
    from dataclasses import replace

    lost = replace(batch, loss=np.full(3, np.nan))
    assert repr(lost) == "<Result: 3 runs: 2 MAX_STEPS, 1 DIVERGED; no loss is finite>"


# HTML


class Reader(HTMLParser):
    """The tags of a page, and the cells of its tables."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.inside = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        self.inside = tag in ("td", "th")
        if self.inside:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.rows[-1][-1] += data


def test_the_table_has_coefficients_beside_the_best_ones(single):
    page = Reader(single._repr_html_())
    assert page.rows[0] == ["coefficient", "fitted", "best"]
    best = np.polynomial.legendre.legfit(
        single.samples.x / np.pi, single.samples.y, 2, w=np.sqrt(single.samples.weights)
    )
    fitted = np.array([[float(cell) for cell in row[1:]] for row in page.rows[1:4]])
    np.testing.assert_allclose(fitted[:, 0], single.params, rtol=1e-9)
    np.testing.assert_allclose(fitted[:, 1], best, rtol=1e-9, atol=1e-12)
    names = [row[0] for row in page.rows[5:]]
    assert names == ["loss", "best loss", "excess", "largest error"]
    assert float(page.rows[5][1]) == pytest.approx(single.loss, rel=1e-5)


def test_other_polynomials_are_compared_in_powers_of_x():
    page = Reader(p.fit(SAMPLES, p.Legendre(), **PARTS)._repr_html_())
    assert [row[0] for row in page.rows[:5]] == ["coefficient", "x^0", "x^1", "x^2", "x^3"]
    assert "lower bound of the loss" in [row[0] for row in page.rows]


def test_a_model_that_is_no_polynomial_shows_its_parameters():
    page = Reader(p.fit(SAMPLES, Wave(initial=[1.0, 1.0]), **PARTS)._repr_html_())
    assert page.rows[0] == ["coefficient", "fitted"]


def test_a_batch_is_a_table_with_a_row_for_each_run(batch):
    page = Reader(batch._repr_html_())
    assert page.rows[0] == ["run", "outcome", "steps", "loss", "excess"]
    assert [row[:2] for row in page.rows[1:]] == [["0", "MAX_STEPS"], ["1", "MAX_STEPS"], ["2", "DIVERGED"]]
    many = p.fit(SAMPLES, p.LegendreSeries(degree=1), seed=range(30), **PARTS)._repr_html_()
    assert len(Reader(many).rows) == 21
    assert "and 10 rows more" in many


def test_the_html_has_no_script_and_every_text_is_escaped():
    samples = p.Samples.of([0, 1, 2], [1, 3, 5], name=EVIL)
    text = p.fit(samples, p.PowerSeries(degree=1), **PARTS)._repr_html_()
    page = Reader(text)
    assert {tag for tag, _ in page.tags} == {"div", "strong", "code", "table", "tr", "td", "th"}
    assert {name for _, attributes in page.tags for name in attributes} == {"style"}
    assert "\x1b" not in text
    assert not re.search("<script|alert\\(1\\)<", text)

"""The animated page: what its figure contains, and that it is a single file which runs only its own program."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

import polyexp as p
from polyexp.report.film import film, write_page
from tests.helpers.figures import QUICK, Run
from tests.helpers.stores import only_run

EVIL = "</script><script>alert(1)</script> <img src=x onerror=alert(2)> é 数.csv"


@pytest.fixture(scope="module")
def run():
    return Run(loop=p.Manual(steps=400, log_every=20))


@pytest.fixture(scope="module")
def made(run):
    return film(run.result, run.forecast, run.displayed)


class Elements(HTMLParser):
    """The elements of a page with their attributes, and the text of its scripts and title."""

    def __init__(self, text):
        super().__init__()
        self.found, self.texts, self.open = [], {}, ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.open = tag

    def handle_data(self, data):
        self.texts.setdefault(self.open, []).append(data)

    def tags(self):
        return [tag for tag, _ in self.found]


def by_name(traces):
    return {trace.name: trace for trace in traces}


def test_a_frame_for_each_look_and_one_for_the_start(made, run):
    assert [frame.name for frame in made.frames] == ["0", *map(str, run.result.history.step)]
    (slider,) = made.layout.sliders
    assert [stop.label for stop in slider.steps] == [frame.name for frame in made.frames]
    assert [stop.args[0][0] for stop in slider.steps] == [frame.name for frame in made.frames]


def test_each_frame_moves_the_curve_and_the_marker(made, run):
    names = [trace.name for trace in made.data]
    assert names == ["samples", "target", "fitted", "current step", "loss"]
    history, samples = run.result.history, run.result.samples
    for frame, params in zip(made.frames, [run.result.initial, *history.params], strict=True):
        assert [names[k] for k in frame.traces] == ["fitted", "current step"]
        curve, marker = frame.data
        assert curve.y == pytest.approx(run.result.model(params, np.asarray(curve.x)))
        assert marker.x == (int(frame.name) or 0.1,)  # where the tick of 0 is
        assert marker.y[0] == pytest.approx(float(samples.loss(run.result.model(params, samples.x))))


def test_the_marker_is_on_the_loss_below_and_the_curve_above(made):
    drawn = by_name(made.data)
    assert (drawn["loss"].yaxis, drawn["current step"].yaxis, drawn["fitted"].yaxis) == ("y2", "y2", None)
    layout = made.layout
    assert layout.yaxis2.domain[1] < layout.yaxis.domain[0]
    assert (layout.yaxis2.type, layout.xaxis2.title.text, layout.yaxis2.title.text) == ("log", "updates taken", "loss")
    assert layout.shapes[0].y0 == pytest.approx(3.1e-8, rel=0.01)


def test_the_target_and_the_samples_stay(made, run):
    drawn = by_name(made.data)
    assert drawn["target"].y == pytest.approx(np.sin(drawn["target"].x), abs=1e-15)
    assert len(drawn["samples"].x) == 50
    low, high = made.layout.yaxis.range
    assert low < -1 < 1 < high


def test_no_more_than_sixty_frames():
    run = Run(loop=p.Manual(steps=500, log_every=1))
    frames = film(run.result, run.forecast, run.displayed).frames
    assert 45 < len(frames) <= 60
    assert (frames[0].name, frames[-1].name) == ("0", "500")


def test_steps_that_are_spread_logarithmically():
    run = Run(loop=p.ClosedForm(steps=10**9))
    made = film(run.result, run.forecast, run.displayed)
    assert made.layout.xaxis2.type == "log"
    assert made.frames[0].name == "0"
    assert made.layout.xaxis2.tickvals[:2] == (0.1, 1)
    assert made.layout.xaxis2.ticktext[:2] == ("0", "10<sup>0</sup>")
    assert list(by_name(made.data)["loss"].x[:2]) == [0.1, 1]


def test_the_axes_have_the_names_of_the_columns(tmp_path):
    (tmp_path / "fall.csv").write_text("time,a<b>\x1b\n0,5\n1,4\n2,0\n")
    run = Run(p.DataFile(str(tmp_path / "fall.csv"), x="time", y="a<b>\x1b"), p.PowerSeries(degree=1))
    layout = film(run.result, run.forecast, run.displayed).layout
    assert (layout.xaxis.title.text, layout.yaxis.title.text) == ("time", r"a&lt;b&gt;\x1b")


def test_many_samples_are_shown_by_those_they_were_reduced_to():
    run = Run(p.Problem(num_samples=2**20 + 1), loop=p.Manual(steps=1))
    assert [trace.name for trace in film(run.result, run.forecast, run.displayed).data][:2] == [
        "reduced samples",
        "target",
    ]


@pytest.mark.parametrize(
    "hard",
    [
        lambda: Run(p.Samples.of([3.0], [2.0]), p.PowerSeries(degree=3), p.Manual(steps=3)),
        lambda: Run(loop=p.Manual(steps=300), optimizer=p.GradientDescent(1e10, allow_divergence=True)),
        lambda: Run(
            p.Samples.of([0.0, 1.0], [0.0, 0.0]), p.PowerSeries(degree=1, initial=[0.0, 0.0]), p.Manual(steps=2)
        ),
        lambda: Run(model=p.Legendre(), loop=p.Manual(steps=2)),
    ],
    ids=["one sample", "diverged", "perfect", "not linear"],
)
def test_every_run_has_a_page(hard):
    run = hard()
    text = film(run.result, run.forecast, run.displayed).to_json()
    assert "Infinity" not in text
    assert "NaN" not in text
    json.loads(text)


def test_the_page_is_one_file_that_asks_for_no_other(run, tmp_path):
    text = write_page(tmp_path, run.result, run.forecast, run.displayed).read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    page = Elements(text)
    assert not [attrs for _, attrs in page.found if "src" in attrs or "href" in attrs]
    assert {"link", "img", "iframe"}.isdisjoint(page.tags())
    assert "plotly.js v" in text
    assert "Plotly.addFrames" in text
    assert {"charset": "utf-8"} in [attrs for tag, attrs in page.found if tag == "meta"]


def test_a_name_does_not_become_markup(tmp_path):
    samples = p.Samples.of([0.0, 1, 2], [1.0, 0, 1], name=EVIL)
    usual = p.Samples.of([0.0, 1, 2], [1.0, 0, 1], name="usual.csv")
    pages = []
    for number, one in enumerate((samples, usual)):
        run = Run(one, p.PowerSeries(degree=1), p.Manual(steps=2))
        (tmp_path / str(number)).mkdir()
        pages.append(
            Elements(write_page(tmp_path / str(number), run.result, run.forecast, run.displayed).read_text("utf-8"))
        )
    assert pages[0].tags() == pages[1].tags()
    # plotly renders a few tags of its titles, so these have to be escaped once more inside the program's text.
    (program,) = (text for text in pages[0].texts["script"] if "Plotly.newPlot" in text)
    (title,) = re.findall(r'"title":\{"text":("\\u003cb.*?")', program) or re.findall(
        r'"text":("\\u003cb.*?[^\\]")', program
    )
    assert "<script" not in json.loads(title)
    assert "&lt;/script" in json.loads(title)


def test_a_run_writes_and_records_its_page_only_if_asked(cli, store, tmp_path):
    assert cli(*QUICK).code == 0
    assert list(tmp_path.rglob("page.html")) == []
    assert cli(*QUICK, "report.page=true", "tracking.experiment_name=filmed") == (0, "", "")
    (written,) = tmp_path.glob("outputs/runs/*/*/page.html")
    run_id = only_run(store, "filmed").info.run_id
    assert "page.html" in [one.path for one in store.list_artifacts(run_id)]
    (recorded,) = tmp_path.glob("outputs/artifacts/**/page.html")
    assert recorded.read_bytes() == written.read_bytes()


def test_a_sweep_may_have_pages(cli, tmp_path):
    assert cli("-m", "seed=0,1", "report.page=true", "tracking=none", *QUICK).code == 0
    assert len(list(tmp_path.rglob("page.html"))) == 2

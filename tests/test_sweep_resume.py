"""A sweep that is resumed runs what has no result, and nothing else; finished runs are found by their fingerprints."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import sqlite3

import pytest

from polyexp.experiment import build
from polyexp.sweep import MANIFEST, SWEEP_FILE, read_table
from polyexp.tracking import JOURNAL
from polyexp.tracking.note import NOTE
from tests.helpers.commands import SHORT
from tests.helpers.config import composed
from tests.helpers.stores import all_runs, sweeps

RTOL = 1e-12  # between a job that is computed alone and one of a batch
TOO_DEEP = "[" * 10_000
SWEEP = ("-m", *SHORT, "optimizer.learning_rate=1e-4,2e-4", "seed=0,1")
OF_FILE = ("backend=numpy", "model.degree=3", "loop.steps=20", "loop.log_every=10")
FOLDER = "hydra.sweep.dir=outputs/s"
DATA = "x,y\n" + "".join(f"{k / 10},{k * k / 100}\n" for k in range(40))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "outputs" / "s"


@pytest.fixture
def swept(cli):
    """Call it with words: a sweep of four jobs into outputs/s has ended."""

    def sweep(*words):
        ended = cli(*SWEEP, FOLDER, *words)
        assert (ended.code, ended.err) == (0, "")

    return sweep


def runs_in(path):
    """The names and the status of the runs of a store, in the order of their starts, and then of their names."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT name, status FROM runs ORDER BY start_time, name").fetchall()


def files_of(folder):
    """The times at which the files of a folder were written, but for the note on its delivery, which is repeated."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != NOTE)
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in files}


def killed(folder):
    """Make of a finished job one whose process was killed before it had written its result."""
    lines = (folder / JOURNAL).read_text().splitlines(keepends=True)
    content = json.loads(lines[0])
    content["process"]["started"] = "another time"
    (folder / JOURNAL).write_text(f"{json.dumps(content)}\n{''.join(lines[1:3])}")
    for name in ("result.json", NOTE):
        (folder / name).unlink(missing_ok=True)


def failed(folder):
    """Make of a finished job one that has failed."""
    lines = (folder / JOURNAL).read_text().splitlines(keepends=True)
    end = '{"kind": "end", "time": 1, "status": "FAILED", "reason": "MemoryError: no memory"}\n'
    (folder / JOURNAL).write_text(f"{''.join(lines[:3])}{end}")
    for name in ("result.json", NOTE):
        (folder / name).unlink(missing_ok=True)


def test_a_finished_sweep_has_nothing_left_to_run(cli, swept, folder):
    swept()
    before, table = files_of(folder / "0"), read_table(folder)
    ended = cli("sweep.resume=outputs/s")
    assert (ended.code, ended.err) == (0, "")
    assert "[1/" not in ended.out
    assert files_of(folder / "0") == before
    assert read_table(folder) == table


@pytest.mark.parametrize("launcher", ["polyexp", "basic"])
@pytest.mark.parametrize("broken", [shutil.rmtree, killed, failed, lambda folder: (folder / "result.json").unlink()])
def test_what_has_no_result_runs_again_and_nothing_else(cli, swept, folder, tmp_path, broken, launcher):
    swept()
    table = read_table(folder)
    for number in (1, 2):
        broken(folder / str(number))
    before = {number: files_of(folder / str(number)) for number in (0, 3)}
    ended = cli("sweep.resume=outputs/s", f"hydra/launcher={launcher}")
    assert (ended.code, ended.err) == (0, "")
    after = read_table(folder)
    assert [row.loss for row in after.rows] == pytest.approx([row.loss for row in table.rows], rel=RTOL)
    assert [row.outcome for row in after.rows] == [row.outcome for row in table.rows]
    for number, files in before.items():
        inside = {path: time for path, time in files_of(folder / str(number)).items() if ".hydra" not in path.parts}
        assert inside == {path: time for path, time in files.items() if ".hydra" not in path.parts}
    found = runs_in(tmp_path / "outputs" / "mlflow.db")
    assert found.count(("sweep s", "FINISHED")) == 1
    assert not [name for name, status in found if status == "RUNNING"]
    store_ids = {row.run_id for row in after.rows}
    assert len(store_ids) == 4
    assert all(store_ids)


def test_only_what_is_left_is_counted_and_named_by_what_varies_in_all_jobs(cli, swept, folder):
    swept()
    shutil.rmtree(folder / "2")
    ended = cli("sweep.resume=outputs/s")
    assert re.search(r"^\[1/1\] lr=0.0002 seed=0 loss \S+ MAX_STEPS$", ended.out, re.M)


def test_a_job_that_failed_before_is_delivered_as_it_was_before_it_runs_again(cli, swept, folder, tmp_path):
    swept()
    failed(folder / "3")
    before = runs_in(tmp_path / "outputs" / "mlflow.db")
    journal = folder / "3" / JOURNAL
    journal.write_text(journal.read_text().replace(json.loads(journal.read_text().splitlines()[0])["id"], "0" * 32))
    assert cli("sweep.resume=outputs/s").code == 0
    after = runs_in(tmp_path / "outputs" / "mlflow.db")
    assert sorted(after) == sorted([*before, ("lr=0.0002 seed=1", "FAILED"), ("lr=0.0002 seed=1", "FINISHED")])


def test_a_sweep_is_named_by_its_folder_or_its_date_and_time(cli, tmp_path):
    assert cli(*SWEEP, "tracking=none", "quiet=true").code == 0
    (manifest,) = (tmp_path / "outputs" / "sweeps").glob(f"*/*/{MANIFEST}")
    folder = manifest.parent
    for name in (f"{folder.parent.name}/{folder.name}", str(folder), str(folder.relative_to(tmp_path))):
        ended = cli(f"sweep.resume={name}", "sweep.dry_run=true")
        assert (ended.code, ended.err) == (0, "")
        assert ended.out == "0 of 4 jobs would run; 4 have a result.\n"


def test_every_word_is_taken_from_the_folder(cli, tmp_path, folder):
    (tmp_path / "my data, 1.csv").write_text(DATA)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "mine.yaml").write_text("defaults: [config, _self_]\nseed: 7\n")
    words = (
        "--config-dir",
        "more",
        "--config-name",
        "mine",
        "-m",
        "backend=numpy",
        "loop.log_every=10",
        FOLDER,
        "tracking=none",
        "problem=file",
    )
    words += ("problem.path='my data, 1.csv'", "problem.y=y", "problem.x=x", "sweep.zip=[model.degree,loop.steps]")
    words += ("model.degree=range(1,4)", "loop.steps=15,16,17", "optimizer.learning_rate=geomspace(5e-4,1e-3,2)")
    assert cli(*words).code == 0
    before = {path: path.read_bytes() for path in sorted(folder.rglob("result.json"))}
    assert len(before) == 6
    configs = {path: path.read_text() for path in folder.glob("*/.hydra/[co]*.yaml")}
    for number in range(1, 6):
        shutil.rmtree(folder / str(number))
    for _ in range(2):  # also where it has been resumed before
        ended = cli("sweep.resume=outputs/s")
        assert (ended.code, ended.err) == (0, "")
    after = {path: path.read_bytes() for path in sorted(folder.rglob("result.json"))}
    assert list(after) == list(before)
    assert {path: path.read_text() for path in folder.glob("*/.hydra/[co]*.yaml")} == configs
    timeless = [re.sub(rb'"seconds": [^,]*', b"", text) for text in after.values()]
    assert timeless == [re.sub(rb'"seconds": [^,]*', b"", text) for text in before.values()]
    assert json.loads(after[folder / "5" / "result.json"])["config"]["seed"] == 7


# What is refused, before anything is changed


def refused(cli, folder, *words):
    before = files_of(folder)
    ended = cli(*words)
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1
    assert ended.out == ""
    assert files_of(folder) == before
    return ended.err


@pytest.mark.parametrize("name", ["", "none", "outputs", "s2", "a\0b", "x" * 300, "../x"])
def test_a_sweep_that_is_not_there_is_refused(cli, swept, folder, name):
    swept("tracking=none")
    sentence = "`sweep.resume` must be the folder of a sweep, or its date and time"
    assert sentence in refused(cli, folder, f"sweep.resume={name}")


@pytest.mark.parametrize("word", ["seed=1", "model=legendre", "hydra.run.dir=x", "hydra.sweep.dir=x", "tracking.uri=a"])
def test_what_would_make_it_another_sweep_is_refused(cli, swept, folder, word):
    swept("tracking=none")
    error = refused(cli, folder, "sweep.resume=outputs/s", word)
    assert f"takes the command line from the folder of the sweep: leave `{word}` out" in error


@pytest.mark.parametrize("options", [("--config-dir", "."), ("--config-name", "config"), ("--config-path", ".")])
def test_options_that_name_other_config_files_are_refused(cli, swept, folder, options):
    swept("tracking=none")
    assert "leave the options out" in refused(cli, folder, "sweep.resume=outputs/s", *options)


def test_a_data_file_that_has_changed_is_noticed(cli, tmp_path, folder):
    (tmp_path / "data.csv").write_text(DATA)
    words = ("-m", *OF_FILE, FOLDER, "tracking=none", "problem=file", "problem.path=data.csv", "seed=0,1")
    assert cli(*words, "optimizer.learning_rate=1e-9").code == 0
    (tmp_path / "data.csv").write_text(DATA.replace("3.9", "3.95"))
    error = refused(cli, folder, "sweep.resume=outputs/s")
    assert "job 0 is not the one that it was, because config files, data or polyexp have changed" in error


def test_config_files_that_have_changed_are_noticed(cli, tmp_path, folder):
    (tmp_path / "more").mkdir()
    mine = tmp_path / "more" / "mine.yaml"
    mine.write_text("defaults: [config, _self_]\nseed: 7\n")
    words = ("--config-dir", "more", "--config-name", "mine", "-m", *SHORT, FOLDER, "tracking=none")
    assert cli(*words, "optimizer.learning_rate=1e-4,2e-4").code == 0
    mine.write_text("defaults: [config, _self_]\nseed: 8\n")
    assert "job 0 is not the one that it was" in refused(cli, folder, "sweep.resume=outputs/s")
    mine.unlink()
    refused(cli, folder, "sweep.resume=outputs/s")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (MANIFEST, None),
        (MANIFEST, ""),
        (MANIFEST, "number,fingerprint,overrides\n"),
        (MANIFEST, 'number,fingerprint,overrides\n0,0123456789abcdef,"[""seed=0""]"\n'),
        (MANIFEST, "number,fingerprint,overrides\nx\n"),
        ("multirun.yaml", None),
        ("multirun.yaml", ""),
        ("multirun.yaml", "a: [\n"),
        ("multirun.yaml", "hydra: 1\n"),
        ("multirun.yaml", "hydra: {overrides: {hydra: [1], task: []}}\n"),
        ("multirun.yaml", "hydra: !!python/object/apply:os.system [exit]\n"),
        ("multirun.yaml", f"hydra: {TOO_DEEP}\n"),
        ("multirun.yaml", "#" * 2**21 + "\nhydra: 1\n"),
    ],
)
def test_a_folder_that_is_damaged_is_refused(cli, swept, folder, name, text):
    swept("tracking=none")
    (folder / name).unlink()
    if text is not None:
        (folder / name).write_text(text)
    error = refused(cli, folder, "sweep.resume=outputs/s")
    assert str(folder / name) in error or name in error or "cannot be resumed" in error
    assert "`sweep.skip_finished=true`" in error


@pytest.mark.parametrize("deep", ["[" * 100_000, "a: [" * 50 + "{" * 100, "- " * 200], ids=["lists", "both", "blocks"])
def test_a_record_that_is_nested_deeply_is_refused(bare_cli, swept, folder, deep):
    swept("tracking=none")
    (folder / "multirun.yaml").write_text(deep)
    ended = bare_cli("sweep.resume=outputs/s")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "does not describe a sweep" in ended.err


@pytest.mark.parametrize(
    "name", [".hydra/config.yaml", "polyexp.log", "0/.hydra", "0/polyexp.log", "1/.hydra/hydra.yaml"]
)
def test_nothing_is_written_through_a_link(cli, swept, folder, tmp_path, name):
    swept("tracking=none")
    place, victim = folder / name, tmp_path / "victim"
    place.parent.mkdir(exist_ok=True)
    shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
    for job in "01":
        killed(folder / job)
    victim.write_text("precious")
    place.symlink_to(victim)
    ended = cli("sweep.resume=outputs/s")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert name in ended.err
    assert victim.read_text() == "precious"


@pytest.mark.parametrize(
    "word",
    ["hydra.job_logging.handlers.x.class=os.system", "hydra/launcher=/etc/x", "~seed", "--help", "--cfg=job", "a=b"],
)
def test_recorded_words_are_judged_as_typed_ones(cli, swept, folder, word):
    swept("tracking=none")
    record = folder / "multirun.yaml"
    record.write_text(record.read_text().replace("    - tracking=none\n", f"    - tracking=none\n    - {word}\n"))
    refused(cli, folder, "sweep.resume=outputs/s")


def test_a_sweep_that_is_going_on_is_refused(cli, swept, folder):
    swept("tracking=none")
    held = os.open(folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    assert "is going on" in refused(cli, folder, "sweep.resume=outputs/s")
    os.close(held)
    journal = folder / "2" / JOURNAL
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-1]))  # of this process, which is alive
    assert "is going on" in refused(cli, folder, "sweep.resume=outputs/s")


@pytest.mark.parametrize("word", ["sweep.dry_run=true", "sweep.skip_finished=true"])
def test_a_single_run_takes_no_settings_of_sweeps(bare_cli, tmp_path, word):
    ended = bare_cli(*SHORT, word)
    key = word.partition("=")[0]
    assert (ended.code, ended.err) == (2, f"polyexp: `{key}` belongs to a sweep: put -m in front, or leave it out.\n")
    assert not list(tmp_path.iterdir())


def test_a_dry_run_makes_nothing(bare_cli, tmp_path):
    ended = bare_cli(*SWEEP, "sweep.dry_run=true")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[:2] == ["4 of 4 jobs would run.", "job 0: lr=0.0001 seed=0"]
    assert not list(tmp_path.iterdir())


# Finished runs of other sweeps


def test_finished_runs_of_the_store_are_reused(cli, swept, folder, tmp_path):
    swept()
    earlier = {row.overrides: row for row in read_table(folder).rows}
    ended = cli(*SWEEP[:-1], "seed=0,1,2", "hydra.sweep.dir=outputs/t", "sweep.skip_finished=true")
    assert (ended.code, ended.err) == (0, "")
    rows = read_table(tmp_path / "outputs" / "t").rows
    assert [row.reused for row in rows] == [True, True, False] * 2
    for row in rows:
        if row.reused:
            one = earlier[row.overrides]
            assert (row.run_id, row.loss, row.excess, row.steps) == (one.run_id, one.loss, one.excess, one.steps)
    assert sorted(path.name for path in (tmp_path / "outputs" / "t").iterdir() if path.is_dir()) == ["2", "5"]
    assert len(runs_in(tmp_path / "outputs" / "mlflow.db")) == 5 + 3
    again = cli("sweep.resume=outputs/t", "sweep.skip_finished=true")
    assert (again.code, again.err) == (0, "")
    assert [row.loss for row in read_table(tmp_path / "outputs" / "t").rows] == [row.loss for row in rows]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE runs SET status = 'FAILED' WHERE name NOT LIKE 'sweep%'",
        "UPDATE runs SET lifecycle_stage = 'deleted' WHERE name NOT LIKE 'sweep%'",
        "UPDATE tags SET value = '0123456789abcdef' WHERE key = 'polyexp.fingerprint'",
        "UPDATE tags SET value = 'STALLED' WHERE key = 'polyexp.outcome'",
        "UPDATE runs SET artifact_uri = 's3://bucket/x'",
        "UPDATE runs SET artifact_uri = '/nowhere'",
    ],
)
def test_other_runs_are_not_reused(cli, swept, tmp_path, change):
    swept()
    with contextlib.closing(sqlite3.connect(tmp_path / "outputs" / "mlflow.db")) as database:
        database.execute(change)
        database.commit()
    ended = cli(*SWEEP, "sweep.skip_finished=true", "sweep.dry_run=true")
    assert ended.out.splitlines()[0] == "4 of 4 jobs would run."


def test_other_experiments_are_not_reused(cli, swept):
    swept()
    ended = cli(*SWEEP, "sweep.skip_finished=true", "sweep.dry_run=true", "tracking.experiment_name=other")
    assert ended.out.splitlines()[0] == "4 of 4 jobs would run."


def test_without_a_store_nothing_can_be_reused(bare_cli, tmp_path):
    ended = bare_cli(*SWEEP, "sweep.skip_finished=true", "tracking=none")
    assert ended.code == 2
    assert "`tracking=none` records no runs that could be read: type `tracking=mlflow`." in ended.err
    assert not list(tmp_path.iterdir())


def test_a_store_that_does_not_exist_has_no_runs(bare_cli):
    ended = bare_cli(*SWEEP, "sweep.skip_finished=true", "sweep.dry_run=true")
    assert ended.out.splitlines()[0] == "4 of 4 jobs would run."


def test_the_interval_of_snapshots_belongs_to_the_fingerprint_where_it_decides_the_result():
    def of(*words):
        return build(composed(*words)).fingerprint()

    assert of("loop.log_every=10") == of("loop.log_every=20")
    for word in ("loop.tolerance=0.1", "loop.patience=3"):
        assert of(word, "loop.log_every=10") != of(word, "loop.log_every=20")


def test_the_sweep_file_is_written_anew(cli, swept, folder):
    swept("tracking=none")
    (folder / SWEEP_FILE).unlink()
    assert cli("sweep.resume=outputs/s").code == 0
    assert len(read_table(folder).rows) == 4


# What is not the sweep's own


def test_files_of_the_user_in_the_folders_of_jobs_are_left(cli, tmp_path, folder, swept):
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "notes.txt").write_text("mine")
    swept("tracking=none")
    killed(folder / "1")
    assert cli("sweep.resume=outputs/s").code == 0
    assert (folder / "1" / "notes.txt").read_text() == "mine"
    assert {row.outcome for row in read_table(folder).rows} == {"MAX_STEPS"}


def test_a_sweep_goes_on_in_its_own_store_alone(cli, monkeypatch, tmp_path, folder, swept):
    swept()
    killed(folder / "1")
    before = files_of(folder)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'elsewhere' / 'other.db'}")
    error = refused(cli, folder, "sweep.resume=outputs/s")
    assert "type the command in the folder and with the environment variables with which the sweep was started" in error
    assert files_of(folder) == before
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("store", ["http://127.0.0.1:9", "sqlite:////dev/null", "sqlite:///made.db", "ftp://x", ""])
def test_the_journal_of_a_job_cannot_name_another_store(cli, tmp_path, folder, swept, store):
    swept()
    killed(folder / "1")
    lines = (folder / "1" / JOURNAL).read_text().splitlines(keepends=True)
    content = json.loads(lines[0]) | {"store": store}
    (folder / "1" / JOURNAL).write_text(f"{json.dumps(content)}\n")
    ended = cli("sweep.resume=outputs/s")
    assert not (tmp_path / "made.db").exists()
    if store == "sqlite:///made.db":  # it may have been moved together with the sweep
        assert ended.code == 0
    else:
        assert ended.code == 2
        assert "but the sweep would go on in" in ended.err


@pytest.mark.parametrize("content", ["", "garbage", '{"kind": "header"}\n'])
def test_a_damaged_journal_of_a_job_makes_it_run_again(cli, folder, swept, content):
    swept()
    (folder / "1" / JOURNAL).write_text(content)
    ended = cli("sweep.resume=outputs/s")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[0] == "1 of 4 jobs runs; 3 have a result."
    assert {row.outcome for row in read_table(folder).rows} == {"MAX_STEPS"}


@pytest.mark.parametrize("content", ["", "garbage", None])
def test_a_damaged_journal_of_the_sweep_is_refused(cli, folder, swept, content):
    swept()
    (folder / JOURNAL).unlink() if content is None else (folder / JOURNAL).write_text(content)
    assert f"{JOURNAL} " in refused(cli, folder, "sweep.resume=outputs/s")


def test_a_sweep_with_settings_of_its_launcher_goes_on_with_another_launcher(cli, folder):
    words = ("hydra/launcher=polyexp_joblib", "hydra.launcher.n_jobs=2")
    assert cli(*SWEEP, FOLDER, *words).code == 0
    assert cli("sweep.resume=outputs/s", "hydra/launcher=polyexp").code == 0


def test_a_sweep_keeps_its_name_when_its_folder_is_renamed(cli, tmp_path, folder, store, swept):
    swept()
    killed(folder / "1")
    folder.rename(folder.parent / "renamed")
    assert cli("sweep.resume=outputs/renamed").code == 0
    assert {run.data.tags["polyexp.sweep"] for run in all_runs(store)} == {"s"}
    (parent,) = sweeps(store)
    assert parent.info.run_name == "sweep s"


def test_reused_results_stay_reused(cli, tmp_path, swept, store):
    swept()
    words = ("hydra.sweep.dir=outputs/t", "sweep.skip_finished=true")
    assert cli(*SWEEP[:-1], "seed=0,1,2", *words).code == 0
    killed(tmp_path / "outputs" / "t" / "2")
    assert cli("sweep.resume=outputs/t").code == 0
    rows = read_table(tmp_path / "outputs" / "t").rows
    assert [row.reused for row in rows if row.number != 2] == [True, True, True, True, False]


# What a sweep cannot be


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("tracking=mlflow,none",), "`tracking` must name one store for all jobs of a sweep"),
        (("tracking.uri=sqlite:///a.db,sqlite:///b.db",), "`tracking` must name one store for all jobs of a sweep"),
        (("hydra.sweep.dir=outputs/s${seed}",), "`hydra.sweep.dir` must be the same folder for all jobs"),
        (("hydra.sweep.subdir=jobs.csv/${seed}",), "`hydra.sweep.subdir` must not be the name of a file of the sweep"),
        (("action=predict", "sweep.skip_finished=true"), "`sweep.skip_finished` is about runs that are recorded"),
        (("sweep.dry_run=true,false",), "`sweep.dry_run` holds for the whole sweep: type one value."),
    ],
)
def test_what_a_sweep_cannot_be_is_refused(bare_cli, tmp_path, words, sentence):
    ended = bare_cli(*SWEEP, *words)
    assert ended.code == 2
    assert sentence in ended.err
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_job_that_fails_before_its_run_begins_says_why(cli, folder):
    folder.mkdir(parents=True)
    (folder / "1").write_text("in the place of a folder")
    ended = cli(*SWEEP, FOLDER)
    assert ended.code == 1
    rows = read_table(folder).rows
    assert [row.outcome for row in rows] == ["MAX_STEPS", "FAILED", "MAX_STEPS", "MAX_STEPS"]
    assert "Not a directory" in rows[1].reason or "File exists" in rows[1].reason
    assert "`python -m polyexp sweep.resume=outputs/s` runs the jobs without a result." in ended.out

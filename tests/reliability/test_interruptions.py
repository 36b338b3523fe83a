"""A run that gets a signal at a random moment: nothing is lost, and resumed it is to the bit that of an uninterrupted one."""

import random
import signal

import pytest

from polyexp.fitting import read_checkpoint
from tests.helpers.commands import run, wait_until
from tests.helpers.interruptions import (
    CODES,
    FOLDER,
    MOMENTS,
    STORE,
    WAYS,
    Interruptible,
    Kept,
    recorded,
    steps_twice,
    tag,
    uninterrupted,
    words_of,
)
from tests.helpers.recorded_fits import journal, verdict

LIMIT_SECONDS = 60  # within which the recorder has closed the run, on a machine that is busy
MAX_LINES = 3
MAX_SECONDS = 15  # to its end, with the pictures of a fit that had ended, on a machine that is busy
OFTEN = "checkpoint.every=0.1"


@pytest.fixture(scope="session")
def reference(tmp_path_factory):
    """Call it with a backend and a loop: what an uninterrupted run of them has left."""
    kept = {}

    def of(backend, loop):
        if (backend, loop) not in kept:
            folder = tmp_path_factory.mktemp("reference") / "run"
            kept[backend, loop] = uninterrupted(folder, *words_of(backend, loop))
        return kept[backend, loop]

    return of


def all_cases():
    """Every loop on every backend with every signal, each during the fit and at two of the other moments in turn."""
    others = [moment for moment in MOMENTS if moment != "fit"]
    for way, (backend, loop) in enumerate(WAYS):
        for place, number in enumerate(CODES):
            for moment in ("fit", others[(way + place) % 4], others[(way + place + 1) % 4]):
                yield backend, loop, number, moment


@pytest.fixture
def interruptible():
    """Call it as `Interruptible`; a recorder that waits for its killed run to come back is ended with the test."""
    made = []

    def make(*args):
        made.append(Interruptible(*args))
        return made[-1]

    yield make
    for one in made:
        one.end_recorders()


@pytest.mark.sample(8)
@pytest.mark.parametrize(
    ("backend", "loop", "number", "moment"),
    [pytest.param(*one, id="-".join([one[0], one[1], one[2].name, one[3]])) for one in all_cases()],
)
def test_interrupted_and_resumed(
    backend, loop, number, moment, seed, reference, interruptible, tmp_path, new_store, facts
):
    facts(table="interruptions", fault=number.name, when=MOMENTS[moment], backend=backend, loop=loop)
    drawn = random.Random(f"{seed} {backend} {loop} {number} {moment}")
    expected, often = reference(backend, loop), drawn.random() < 0.5
    new_store(tmp_path / STORE)
    one = interruptible(tmp_path, (*words_of(backend, loop), *([OFTEN] if often else [])), expected.seconds)
    ended = one.interrupt(number, moment, drawn)
    if ended.late:
        assert ended.code in (0, CODES[number], -number)
    else:
        lines = ended.lines_after(expected.printed)
        facts(exit=ended.code, lines=len(lines), seconds=ended.seconds)
        assert ended.code == CODES[number], ended.err
        assert len(lines) <= MAX_LINES, lines
        assert ended.seconds <= MAX_SECONDS
    assert "Traceback" not in ended.out + ended.err
    if not journal(one.folder):
        assert not ended.steps
        require_nothing(facts, one, number)
        return
    # A run that was killed may be resumed before its recorder has closed it.
    run_id = require_kept(facts, one, ended, number, at_once=number == signal.SIGKILL and drawn.random() < 0.25)
    require_resumed(facts, one, expected, run_id)


def require_nothing(facts, one, number):
    """Require that a run that had not begun has left nothing."""
    facts(before=1)
    assert recorded(one.root / STORE) == []
    if number != signal.SIGKILL:  # which leaves no time to remove the folder
        assert not one.folder.exists()
        refused = run(f"resume={FOLDER}", cwd=one.root)
        assert (refused.code, refused.out, len(refused.err.splitlines())) == (2, "", 1)


def require_kept(facts, one, ended, number, *, at_once):
    """Require that a run has kept what had been written or printed, and that the store has it, and return its id."""
    content = (one.folder / "journal.jsonl").read_bytes()
    lost = sum(line not in content for line in one.journal_before.splitlines(keepends=True))
    lines = journal(one.folder)
    lost += len(ended.steps - {line["step"] for line in lines if line["kind"] == "snapshot"})
    end = lines[-1]["status"] if lines[-1]["kind"] == "end" else "KILLED"
    outcomes = [line["tags"]["polyexp.outcome"] for line in lines if line["kind"] == "result"]
    facts(lost=lost, interrupted=int(end == "KILLED"), finished=int(end != "KILLED"))
    assert content.startswith(one.journal_before)
    assert lost == 0
    if number != signal.SIGKILL:
        assert (end, outcomes) in (("KILLED", ["INTERRUPTED"]), ("FINISHED", ["MAX_STEPS"]))
    if at_once:
        return None
    wait_until(lambda: verdict(one.root / STORE, one.folder, end).is_right, LIMIT_SECONDS)
    ((run_id, status),) = recorded(one.root / STORE)
    assert status == end
    return run_id


def require_resumed(facts, one, expected, run_id):
    """Require that a run goes on in its folder and its run of MLflow, and is the expected one to the bit."""
    try:
        taken = read_checkpoint(one.folder)[0].step
    except FileNotFoundError:
        taken = 0
    resumed = run(f"resume={FOLDER}", cwd=one.root)
    assert resumed.code == 0, resumed.err
    facts(resumed=1, from_checkpoint=int(taken > 0))
    store, kept = one.root / STORE, Kept(one.folder)
    if run_id is None or not verdict(store, one.folder).is_right:
        synced = run("action=sync", "action.folder=outputs", cwd=one.root)
        assert (synced.code, synced.err) == (0, "")
    differences, found = kept.differences(expected), verdict(store, one.folder)
    steps = [line["step"] for line in kept.values["snapshots"]]
    wrong = abs(len(steps) - len(expected.values["snapshots"])) + len(steps) - len(set(steps)) + steps_twice(store)
    facts(identical=int(not differences), wrong=wrong)
    assert differences == []
    assert wrong == 0
    assert found.is_right, found
    ((now_id, status),) = recorded(store)
    assert (now_id, status) == (run_id or now_id, "FINISHED")
    assert tag(store, "polyexp.resumed") == (
        f"after {taken} step{'s' * (taken != 1)}" if taken else "from the first step on"
    )


@pytest.mark.sample(1)
@pytest.mark.parametrize("number", range(6))
def test_interrupted_time_and_again(number, seed, reference, interruptible, tmp_path, new_store, facts):
    """A run that is interrupted while it goes on goes on again, by any of the signals, at any moment."""
    backend, loop = ("numpy", "manual") if number % 2 else ("torch", "autograd")
    facts(
        table="interruptions",
        fault="several of them",
        when="at random moments, resumed after each",
        backend=backend,
        loop=loop,
    )
    drawn, expected = random.Random(f"{seed} again {number}"), reference(backend, loop)
    new_store(tmp_path / STORE)
    words = (*words_of(backend, loop), OFTEN)
    for moment in ("fit", "imports", "fit", "start", "fit"):
        signal_number = drawn.choice([*CODES])
        one = interruptible(tmp_path, words, {name: 0.5 * span for name, span in expected.seconds.items()})
        ended = one.interrupt(signal_number, moment, drawn)
        assert ended.late or ended.code == CODES[signal_number], ended.err
        assert "Traceback" not in ended.out + ended.err
        words = (f"resume={FOLDER}", OFTEN)
    facts(interrupted=1)
    ((run_id, _),) = recorded(tmp_path / STORE)
    require_resumed(facts, one, expected, run_id)

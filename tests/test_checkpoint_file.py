"""Checkpoints in files: exact to the bit, never lost by what fails while they are written, never believed when damaged."""

import io
import json
import os
import re
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import polyexp as p
from polyexp.base import InputError
from polyexp.fitting import CHECKPOINT, PREVIOUS, SavedCheckpoint, blocks, read_checkpoint, write_checkpoint
from polyexp.fitting.checkpoint_file import MAX_FILE_BYTES, MAX_MEMBERS, _checksum, _members
from tests.helpers.checkpoints import (
    BEFORE,
    FINGERPRINT,
    SETTINGS,
    bits,
    fail_at_each,
    fit_arguments,
    flip_a_bit,
    kept,
    kills,
    plain,
    prepare,
    saved,
    three,
)
from tests.helpers.disks import damage
from tests.helpers.fits import without_early
from tests.helpers.runs import assert_same_bits

ROOT = Path(__file__).parents[1]
MEGABYTE = 10**6


# Exact to the bit


def assert_goes_on(folder, arguments, checkpoint, whole, *, with_history):
    """What is read is what was written, joined it is the checkpoint, and the fit goes on from it as if it had not ended."""
    write_checkpoint(folder, saved(checkpoint, with_history=with_history))
    again, warning = read_checkpoint(folder)
    assert warning == ""
    assert (again.settings, again.fingerprint, again.step) == (SETTINGS, FINGERPRINT, checkpoint.state.step)
    assert (again.history is not None) == with_history
    joined = []

    def start(begin):
        joined.append(again.joined(begin, None if with_history else checkpoint.history))
        return joined[0]

    result = p.fit(**arguments, start=start)
    assert bits(saved(joined[0], with_history=True)) == bits(saved(checkpoint, with_history=True))
    assert checkpoint.differences(joined[0]) == []
    np.testing.assert_array_equal(joined[0].progress.outcome, checkpoint.progress.outcome)
    assert_same_bits(result, whole)


RATES = np.array([0.7, 1e-30, 1.6, 0.01])
FOUR = p.Manual(steps=60, log_every=10, tolerance=1e-2, patience=3)
FITS = {
    "numpy": {},
    "float32": {"backend": p.NumPy("float32")},
    "torch": {"backend": p.Torch()},
    "torch float32": {"backend": p.Torch("float32"), "loop": p.Autograd(steps=60, log_every=10)},
    "jax": {"backend": p.JAX()},
    "momentum": {"optimizer": p.Momentum(0.1)},
    "auto": {"optimizer": p.GradientDescent("auto")},
    "nonlinear": {"model": p.Legendre(degree=3, initial=[0, -1, 0, 0.3])},
    "nan": {"loop": p.Manual(steps=300, log_every=150), "optimizer": p.GradientDescent([1e3, 1e200, 1e-3])},
    "no snapshot": {"loop": without_early(p.Manual)(steps=60, log_every=30)},
    "closed form": {"loop": p.ClosedForm(steps=60), "optimizer": p.Momentum(0.1)},
    "ends": {"loop": FOUR, "optimizer": p.GradientDescent(RATES), "seed": [0, 1, 2, 3]},
    "patience": {"loop": p.Manual(steps=60, log_every=5, patience=4), "optimizer": p.GradientDescent([1e-30, 0.1])},
    "two axes": {"optimizer": p.Adam(np.array([[0.1, 0.2, 0.3]])), "seed": 3},
    "infinite": {"loop": p.Manual(steps=300, log_every=150), "optimizer": p.GradientDescent([1e3, 1e-3])},
    "batch of the closed form": {"loop": p.ClosedForm(steps=60), "optimizer": p.GradientDescent([0.1, 1e3, 0.01])},
}


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("with_history", [False, True], ids=["length", "values"])
def test_a_file_is_exact(name, with_history, tmp_path, monkeypatch):
    arguments = fit_arguments(**FITS[name])
    monkeypatch.setattr(blocks, "MAX_BLOCK_SECONDS", 1e-7)  # a moment after each step
    whole, checkpoints = kept(arguments)
    assert len(checkpoints) > 4
    for one in checkpoints[:: max(1, len(checkpoints) // 6)]:
        assert_goes_on(tmp_path, arguments, one, whole, with_history=with_history)


def test_the_states_of_these_fits_have_all_kinds_of_numbers():
    """Runs that have ended, patience that has been used, nan and inf."""
    ended = kept(fit_arguments(**FITS["ends"]))[1][-1]
    outcomes = {getattr(one, "name", "") for one in ended.progress.outcome}
    assert outcomes == {"CONVERGED", "STALLED", "DIVERGED", ""}
    assert kept(fit_arguments(**FITS["patience"]))[1][-1].progress.waited.max() > 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "MAX_BLOCK_SECONDS", 1e-7)
        states = [one.state.params for one in kept(fit_arguments(**FITS["infinite"]))[1]]
    assert any(np.isnan(one).any() for one in states)
    assert any(np.isinf(one).any() for one in states)


def test_the_last_checkpoints_of_a_stopped_fit(tmp_path):
    """That of the interruption has what no snapshot has."""
    arguments = fit_arguments()
    stopped = p.fit(**arguments, stop=lambda: True)
    assert_goes_on(tmp_path, arguments, stopped.checkpoint, p.fit(**arguments), with_history=False)


floats = arrays.arrays("<f8", st.sampled_from([(), (1,), (2, 3), (0, 4), (3, 1, 2)]), elements={"allow_nan": True})


@settings(max_examples=60, deadline=None)
@given(
    state=st.dictionaries(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), floats, max_size=4),
    texts=st.dictionaries(st.text(max_size=9), st.text(max_size=40), max_size=5),
    fingerprint=st.text(max_size=20),
)
def test_any_numbers_and_texts_are_exact(tmp_path_factory, state, texts, fingerprint):
    (one, *_), folder = three(), tmp_path_factory.mktemp("any")
    changed = dict(one.arrays) | {f"opt_state.{name}": array for name, array in state.items()}
    whole = SavedCheckpoint(texts, fingerprint, changed)
    write_checkpoint(folder, whole)
    again, _ = read_checkpoint(folder)
    assert bits(again) == bits(whole)
    assert (again.settings, again.fingerprint) == (texts, fingerprint)


@pytest.mark.parametrize("text", ["", "\0", "a\0", "\ud800", "é😀", " ", '"\\'])
def test_texts_that_numpy_would_change(tmp_path, text):
    whole = SavedCheckpoint({text: text}, text, three()[0].arrays)
    write_checkpoint(tmp_path, whole)
    assert read_checkpoint(tmp_path)[0] == whole


@pytest.mark.parametrize(
    "pattern", [0x7FF8000000000001, 0xFFF8000000000000, 0x7FF0000000000001, 0x8000000000000000, 1, 0xFFF0000000000000]
)
def test_every_bit_of_a_number(tmp_path, pattern):
    one = three()[0]
    params = np.full(one.arrays["params"].shape, pattern, "<u8").view("<f8")
    whole = SavedCheckpoint({}, "", dict(one.arrays) | {"params": params})
    write_checkpoint(tmp_path, whole)
    assert bits(read_checkpoint(tmp_path)[0]) == bits(whole)


def test_a_file_is_read_by_numpy_without_pickles(tmp_path):
    one = three()[0]
    write_checkpoint(tmp_path, one)
    with np.load(tmp_path / CHECKPOINT, allow_pickle=False) as file:
        assert json.loads(str(file["settings"])) == SETTINGS
        assert int(file["format"]) == 1
        assert file["history.step"].tolist() == one.steps.tolist()
        np.testing.assert_array_equal(file["params"], one.arrays["params"])


# The one before


def test_the_one_before_is_kept(tmp_path):
    first, second, third = three()
    for one in (first, second, third):
        write_checkpoint(tmp_path, one)
        assert read_checkpoint(tmp_path) == (one, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == [CHECKPOINT, PREVIOUS]
    damage(tmp_path / CHECKPOINT, 100, 9)
    again, warning = read_checkpoint(tmp_path)
    assert again == second
    assert re.fullmatch(
        rf"checkpoint.npz in {re.escape(str(tmp_path))} cannot be used, since it [\w :]+; the run goes on from "
        r"checkpoint.previous.npz, the one before\.",
        warning,
    )


def test_the_newest_is_missing(tmp_path):
    prepare(tmp_path / "a", "two", three())
    (tmp_path / "a" / CHECKPOINT).unlink()
    again, warning = read_checkpoint(tmp_path / "a")
    assert again == three()[0]
    assert "checkpoint.previous.npz is in " in warning
    assert " without checkpoint.npz; the run goes on from checkpoint.previous.npz" in warning


def test_there_is_none(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(FileNotFoundError):
            read_checkpoint(folder)


def test_both_are_damaged(tmp_path):
    prepare(tmp_path / "a", "two", three())
    for name in (CHECKPOINT, PREVIOUS):
        (tmp_path / "a" / name).write_bytes(b"PK")
    with pytest.raises(InputError) as caught:
        read_checkpoint(tmp_path / "a")
    sentence = str(caught.value)
    assert sentence.startswith("checkpoint.npz in ")
    assert "; checkpoint.previous.npz in " in sentence
    assert sentence.endswith("; there is no other checkpoint.")


def test_a_damaged_one_does_not_take_the_place_of_the_one_before(tmp_path):
    first, second, third = three()
    write_checkpoint(tmp_path, first)
    write_checkpoint(tmp_path, second)
    damage(tmp_path / CHECKPOINT, 100, 9)
    write_checkpoint(tmp_path, third)
    assert read_checkpoint(tmp_path) == (third, "")
    (tmp_path / CHECKPOINT).unlink()
    assert read_checkpoint(tmp_path)[0] == first


# Whatever fails


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize(
    ("call", "every"), [("fsync", 1), ("replace", 1), ("write", 9), pytest.param("write", 1, marks=pytest.mark.slow)]
)
def test_every_call_fails(tmp_path, before, call, every):
    """The old or the new one, no unfinished file, and the next write succeeds."""
    assert fail_at_each(tmp_path, call, before, every)["new"] == (call == "fsync")


@pytest.mark.slow
def test_killed_at_every_call():
    assert kills()


# Damage


@pytest.mark.parametrize("number", range(50))
def test_a_flipped_bit_is_noticed_or_changes_nothing(tmp_path, number):
    assert flip_a_bit(tmp_path / "a", number) in ("old", "new")


@pytest.mark.slow
def test_every_byte_is_flipped(tmp_path):
    folder, checkpoints = tmp_path / "a", three()
    prepare(folder, "two", checkpoints)
    content = (folder / CHECKPOINT).read_bytes()
    noticed = 0
    for offset in range(len(content)):
        (folder / CHECKPOINT).write_bytes(
            content[:offset] + bytes([content[offset] ^ (1 << offset % 8)]) + content[offset + 1 :]
        )
        again, warning = read_checkpoint(folder)
        assert bits(again) == bits(checkpoints[0 if warning else 1])
        noticed += bool(warning)
    assert noticed > 0.8 * len(content)  # others are dates and attributes of members


@pytest.mark.parametrize("part", np.linspace(0, 0.999, 20))
def test_a_file_that_is_cut_is_noticed(tmp_path, part):
    folder, checkpoints = tmp_path / "a", three()
    prepare(folder, "two", checkpoints)
    os.truncate(folder / CHECKPOINT, int(part * (folder / CHECKPOINT).stat().st_size))
    again, warning = read_checkpoint(folder)
    assert again == checkpoints[0]
    assert warning


# Files that somebody has made


def archive(path, members, compression=zipfile.ZIP_STORED, **options):
    """An archive of arrays, with a right checksum; members: arrays, or bytes in place of them."""
    plain_arrays = {
        name: one for name, one in members.items() if isinstance(one, np.ndarray) and not one.dtype.hasobject
    }
    if "checksum" not in members:
        members = members | {"checksum": np.array(_checksum(plain_arrays))}
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, one in members.items():
            content = one
            if isinstance(one, np.ndarray):
                np.lib.format.write_array(buffer := io.BytesIO(), one, **options)
                content = buffer.getvalue()
            file.writestr(f"{name}.npy", content)


def head(descr, shape, order=False):
    """The bytes of an array that has a head alone."""
    text = f"{{'descr': {descr!r}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def members(**changes):
    """The arrays of a file. changes: others; None leaves one out."""
    whole = _members(three()[0])
    del whole["checksum"]
    return {name: one for name, one in (whole | changes).items() if one is not None}


def sparse(path):
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)


def linked(path):
    archive(path.with_name("elsewhere"), members())
    path.symlink_to(path.with_name("elsewhere"))


def twice(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("step.npy", head("<i8", "()") + bytes(8))
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("step.npy", b"")


def overlapping(path):
    """Members that share their bytes, so that all of them are more than the file."""
    archive(path, {"a": np.zeros(10**5)})
    with zipfile.ZipFile(path, "a") as file:
        for number in range(150):
            info = zipfile.ZipInfo(f"b{number}.npy")
            info.file_size = info.compress_size = file.filelist[0].file_size
            info.CRC, info.header_offset = file.filelist[0].CRC, 0
            file.filelist.append(info)
        file._didModify = True


def with_zip64(path):
    archive(path, members())
    content = path.read_bytes()
    path.write_bytes(content[:-22] + b"PK\x06\x07" + bytes(16) + content[-22:])


def deep():
    return np.array("[" * 10**5)


HOSTILE = {
    "empty": (lambda path: path.write_bytes(b""), "is damaged"),
    "text": (lambda path: path.write_text("a text " * 100), "is damaged"),
    "an array": (lambda path: path.write_bytes(head("<f8", "()") + bytes(8)), "is damaged"),
    "folder": (lambda path: path.mkdir(), "cannot be read (Not a regular file)"),
    "named pipe": (os.mkfifo, "cannot be read (Not a regular file)"),
    "link": (linked, "cannot be read (Too many levels of symbolic links)"),
    "sparse": (sparse, "is too large"),
    "bomb": (
        lambda path: archive(path, members(params=np.zeros(10**7)), zipfile.ZIP_DEFLATED),
        "is no archive of plain arrays",
    ),
    "other numbers at the end": (with_zip64, "is no archive of plain arrays"),
    "many members": (
        lambda path: archive(path, {str(number): np.zeros(1) for number in range(MAX_MEMBERS)}),
        "has too many arrays",
    ),
    "member twice": (twice, "has an array twice"),
    "overlapping members": (overlapping, "is no archive of plain arrays"),
    "another member": (lambda path: archive(path, members(other=plain(1.0))), "has an array that no checkpoint has"),
    "a file beside": (
        lambda path: (archive(path, members()), zipfile.ZipFile(path, "a").writestr("a.txt", "a")),
        "is no archive of plain arrays",
    ),
    "huge shape": (lambda path: archive(path, members(params=head("<f8", "(1000000000000,)"))), "is damaged"),
    "huge number": (lambda path: archive(path, members(params=head("<f8", f"({'9' * 5000},)"))), "is damaged"),
    "shape without numbers": (
        lambda path: archive(path, members(params=head("<f8", f"(0, {'9' * 30})"))),
        "is damaged",
    ),
    "deep head": (
        lambda path: archive(path, members(params=head("<f8", "(" * 3000))),
        "has an array that is not plain",
    ),
    "object array": (
        lambda path: archive(path, members(params=np.array([{}], object)), allow_pickle=True),
        "has an array that is not plain",
    ),
    "float32": (lambda path: archive(path, members(params=plain([1], "<f4"))), "has an array that is not plain"),
    "big-endian": (lambda path: archive(path, members(params=plain([1], ">f8"))), "has an array that is not plain"),
    "structured": (
        lambda path: archive(path, members(params=np.zeros(2, [("a", "<f8")]))),
        "has an array that is not plain",
    ),
    "Fortran order": (
        lambda path: archive(path, members(params=np.asfortranarray(np.zeros((2, 3))))),
        "has an array that is not plain",
    ),
    "whole numbers": (lambda path: archive(path, members(params=plain([1], "<i8"))), "has an array of another kind"),
    "fractions": (lambda path: archive(path, members(taken=plain(1.5))), "has an array of another kind"),
    "text of no length": (lambda path: archive(path, members(outcome=head("<U0", "()"))), "is damaged"),
    "long outcome": (
        lambda path: archive(path, members(outcome=np.array("MAX_STEPS_"))),
        "has an array of another kind",
    ),
    "an array of steps": (lambda path: archive(path, members(step=plain([1], "<i8"))), "in place of a number"),
    "without a state": (lambda path: archive(path, members(params=None)), "lacks an array"),
    "half a history": (
        lambda path: archive(path, members(**{"history.loss": plain([1.0], "<f8")})),
        "lacks an array",
    ),
    "without a format": (lambda path: archive(path, members(format=None)), "is no checkpoint"),
    "without a checksum": (lambda path: archive(path, members(checksum=head("<f8", "()"))), "is damaged"),
    "another format": (
        lambda path: archive(path, {"format": plain(2, "<i8"), "more": plain(1.0)}),
        "has format 2, and this version of polyexp reads format 1",
    ),
    "wrong checksum": (
        lambda path: archive(path, members(checksum=np.array("0" * 64))),
        "is damaged: its checksum is wrong",
    ),
    "a checksum that is a number": (
        lambda path: archive(path, members(checksum=plain(1.0))),
        "is damaged: its checksum is wrong",
    ),
    "settings that are a list": (lambda path: archive(path, members(settings=np.array("[]"))), "are no text"),
    "settings that are numbers": (lambda path: archive(path, members(settings=np.array('{"a": 1}'))), "are no text"),
    "deep settings": (lambda path: archive(path, members(settings=deep())), "is damaged"),
    "no JSON": (lambda path: archive(path, members(fingerprint=np.array("a"))), "is damaged"),
    "a step below 0": (lambda path: archive(path, members(step=plain(-1, "<i8"))), "a number of steps below 0"),
    "an outcome": (
        lambda path: archive(path, members(outcome=np.array("FINISHED", "<U11"))),
        "has an outcome that there is not",
    ),
    "no finite parameters": (lambda path: archive(path, members(finite=plain(np.nan))), "that are not finite"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_somebody_has_made_is_refused(tmp_path, name):
    make, reason = HOSTILE[name]
    folder, checkpoints = tmp_path / "a", three()
    prepare(folder, "two", checkpoints)
    (folder / CHECKPOINT).unlink()
    make(folder / CHECKPOINT)
    tracemalloc.start()
    again, warning = read_checkpoint(folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert again == checkpoints[0]
    assert f"cannot be used, since it {reason}" in warning or reason in warning
    assert peak < 5 * MEGABYTE


def test_the_archives_of_this_test_can_be_read(tmp_path):
    """Otherwise they would be refused for what the test does."""
    archive(tmp_path / CHECKPOINT, members())
    assert read_checkpoint(tmp_path) == (three()[0], "")


def test_a_checkpoint_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("polyexp.fitting.checkpoint_file.MAX_FILE_BYTES", 60_100)
    with pytest.raises(InputError, match=r"must have at most 60100 bytes\.$"):
        write_checkpoint(tmp_path, three()[0])
    assert not list(tmp_path.iterdir())


# Joined with another fit


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"seed": 1}, "the initial values (`params` or `seed`)"),
        ({"optimizer": p.Adam(0.2)}, "the optimizer"),
        ({"optimizer": p.Momentum(0.1)}, "the optimizer"),
        ({"optimizer": p.RMSprop(0.1)}, "the optimizer"),
        (
            {"seed": [0, 1]},
            "the initial values (`params` or `seed`) and the optimizer and the number of runs or parameters",
        ),
    ],
)
def test_a_checkpoint_of_another_fit_is_refused(changes, what):
    checkpoint = kept(fit_arguments())[1][2]
    with pytest.raises(InputError, match=rf"of a fit with other values of {re.escape(what)}.*: give the settings"):
        p.fit(**fit_arguments(**changes), start=lambda begin: saved(checkpoint).joined(begin, checkpoint.history))


@pytest.mark.parametrize(
    "name", ["params", "finite", "loss", "grad_norm", "taken", "best", "waited", "steps", "snapshots"]
)
def test_arrays_of_another_shape_are_refused(name):
    checkpoint = kept(fit_arguments())[1][2]
    one = saved(checkpoint)
    changed = dict(one.arrays) | {name: np.zeros((2, 7), one.arrays[name].dtype)}
    with pytest.raises(InputError, match="the number of runs or parameters"):
        p.fit(**fit_arguments(), start=lambda begin: SavedCheckpoint({}, "", changed).joined(begin, checkpoint.history))


def test_a_history_that_is_not_that_of_the_checkpoint_is_refused():
    _, (first, second, third, *_) = kept(fit_arguments())
    with pytest.raises(InputError, match="has no history: give that of the journal of the run"):
        p.fit(**fit_arguments(), start=saved(first).joined)
    for history in (first.history, third.history, kept(fit_arguments(seed=[0, 1, 2]))[1][1].history):
        with pytest.raises(InputError, match=r"which has 2 snapshots up to step 2: give that of the journal"):
            p.fit(**fit_arguments(), start=lambda begin: saved(second).joined(begin, history))  # noqa: B023

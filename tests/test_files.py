"""Files that are written as a whole, and read only where they are regular."""

import os
import stat

import pytest

from polyexp.base import open_regular, replaced, save_bytes, save_text


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replaced(path) as unfinished:
        unfinished.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_what_fails_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(IsADirectoryError), replaced(path) as unfinished:
        (unfinished.write_text("new"), tmp_path.read_text())
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_the_permissions_are_those_of_any_new_file(tmp_path):
    save_text(tmp_path / "a.txt", "abc")
    (tmp_path / "b.txt").write_text("abc")
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == stat.S_IMODE((tmp_path / "b.txt").stat().st_mode)


@pytest.mark.parametrize("plant", [os.symlink, os.link])
def test_a_link_at_the_temporary_name_is_not_followed(tmp_path, plant):
    target = tmp_path / "precious"
    target.write_text("precious")
    plant(target, tmp_path / f".{os.getpid()}.a.txt")
    save_bytes(tmp_path / "a.txt", b"new")
    assert (target.read_text(), (tmp_path / "a.txt").read_text()) == ("precious", "new")
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "precious"]


def test_a_link_at_the_name_itself_is_replaced_and_not_followed(tmp_path):
    target = tmp_path / "precious"
    target.write_text("precious")
    (tmp_path / "a.txt").symlink_to(target)
    save_text(tmp_path / "a.txt", "new")
    assert (target.read_text(), (tmp_path / "a.txt").read_text()) == ("precious", "new")


@pytest.mark.parametrize("kind", [os.mkfifo, os.mkdir, lambda path: os.symlink("/etc/hostname", path)])
def test_only_a_regular_file_is_opened(tmp_path, kind):
    kind(tmp_path / "a")
    with pytest.raises(OSError, match=r"a'$"):
        open_regular(tmp_path / "a")
    (tmp_path / "b").write_bytes(b"abc")
    with open_regular(tmp_path / "b") as file:
        assert file.read() == b"abc"

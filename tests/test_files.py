"""Atomic writes: all or nothing, with the permissions of any new file, through symbolic links."""

import os
from pathlib import Path

import pytest

from charrnn.files import atomic_write


@pytest.mark.parametrize("is_locked", [False, True])
def test_atomic_write_replaces_the_file_and_leaves_nothing_else(tmp_path: Path, is_locked: bool) -> None:
    path = tmp_path / "new" / "file"
    for text in ("first", "second"):
        with atomic_write(path, is_locked=is_locked) as temporary:
            temporary.write_text(text)
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


def test_atomic_write_after_an_exception_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError), atomic_write(path) as temporary:
        temporary.write_text("new\ud800", encoding="utf-8")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_atomic_write_keeps_the_replaced_file_as_previous(tmp_path: Path) -> None:
    path, previous = tmp_path / "file", tmp_path / "previous"
    for text in ("first", "second", "third"):
        with atomic_write(path, previous=previous) as temporary:
            temporary.write_text(text)
    assert (path.read_text(), previous.read_text()) == ("third", "second")
    assert len(list(tmp_path.iterdir())) == 2


def test_atomic_write_sets_permissions_by_umask_even_if_the_writer_made_a_private_file(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "file") as temporary:
            temporary.write_text("x")
            temporary.chmod(0o600)
    finally:
        os.umask(old)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_atomic_write_to_a_symbolic_link_replaces_its_target(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    link = tmp_path / "link"
    link.symlink_to("folder/file")
    with atomic_write(link) as temporary:
        temporary.write_text("x")
    assert link.is_symlink()
    assert (tmp_path / "folder" / "file").read_text() == "x"


def test_atomic_write_onto_a_folder_raises_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as refused, atomic_write(tmp_path / "folder") as temporary:
        temporary.write_text("x")
    assert refused.value.filename == str(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def test_atomic_write_overwrites_what_a_killed_process_left(tmp_path: Path) -> None:
    (tmp_path / ".file.part").write_text("half of a lar")
    with atomic_write(tmp_path / "file", is_locked=True) as temporary:
        temporary.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]

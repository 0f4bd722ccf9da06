"""File systems without locks, lock files of others, and checkpoints that are links."""

import errno
import os
from pathlib import Path

import pytest
from filelock import FileLock
from processes import start
from program import SMALL, Charrnn

from charrnn.checkpoint import load
from charrnn.cli.shared.checkpoints import locked
from charrnn.errors import CheckpointError


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
@pytest.mark.parametrize("command", ["train", "ngram"])
def test_file_system_without_locks_gives_a_note(
    command: str, number: int, charrnn: Charrnn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: FileLock) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(FileLock, "acquire", refuse)
    found = charrnn(command, "text.txt", *(SMALL if command == "train" else ()), "--out", "it")
    assert found.status == 0, found.err
    assert found.err.count("this file system does not support locks") == 1


def test_lock_file_of_another_user_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: FileLock) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(FileLock, "acquire", refuse)
    message = r"lock file .*\.it\.safetensors\.lock belongs to another user.*delete"
    with pytest.raises(CheckpointError, match=message), locked(folder / "it.safetensors"):
        pass


def test_checkpoint_symlink_stays_a_symlink(charrnn: Charrnn, folder: Path) -> None:
    store = folder / "store"
    store.mkdir()
    (folder / "checkpoints").mkdir()
    for name in ("it", "it-last"):
        (store / f"{name}.safetensors").touch()
        (folder / f"checkpoints/{name}.safetensors").symlink_to(store / f"{name}.safetensors")
    assert charrnn("train", "text.txt", *SMALL, "--out", "it", "--force").status == 0
    link = folder / "checkpoints/it.safetensors"
    assert link.is_symlink()
    assert load(store / "it.safetensors").metadata.step == 3
    assert load(link).metadata.step == 3
    assert [path.name for path in store.iterdir() if path.name.startswith(".")] == []


def test_matplotlib_without_config_folder_gives_no_warning(folder: Path, made: Path) -> None:
    """It warns where it cannot keep its fonts; a page needs none of that."""
    pytest.importorskip("matplotlib")
    (folder / "err.txt").touch()
    words = ("view", made / "text-lstm.safetensors", "--out", "page.html")
    process = start(folder, *words, err=folder / "err.txt", MPLCONFIGDIR="/dev/null/none")
    process.join(60)
    assert process.exitcode == 0
    assert "atplotlib" not in (folder / "err.txt").read_text()
    assert (folder / "page.html").stat().st_size > 0

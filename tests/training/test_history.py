"""Training histories are written, read and continued, also from damaged files."""

import json
import os
from pathlib import Path

import pytest

from charrnn.errors import CheckpointError
from charrnn.training.monitor.history import History, Record, history_path, read_history


def record(step: int, network: int = 1, loss: float | None = 1.5) -> Record:
    return Record(step, network, step / 10, 1e-3, 1000, loss, 100)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.jsonl"


def test_history_path_of_best_last_and_previous_is_the_same(tmp_path: Path) -> None:
    for ending in ("", "-last", "-previous"):
        assert history_path(tmp_path / f"a.b-lstm{ending}.safetensors") == tmp_path / "a.b-lstm.jsonl"


def test_history_records_are_read_back(path: Path) -> None:
    assert read_history(path) == ()
    history = History(path)
    assert read_history(path) == ()
    scored = Record(2, 1, 0.5, 1e-3, 10.0, 1.0, 9, 1.2, 1.7, 170, "90/10/0", "static, full", True, "é\n\udcff\x1b")
    for added in (record(1), scored, record(3, loss=float("nan"))):
        history.add(vars(added))
        assert path.read_bytes().endswith(b"\n")  # written at once
    assert read_history(path) == (record(1), scored, record(3, loss=None))
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2, 3]
    assert path.read_bytes().isascii()


def test_history_of_new_training_replaces_the_old(path: Path) -> None:
    History(path).add(vars(record(1)))
    History(path).add(vars(record(7)))
    assert read_history(path) == (record(7),)


def test_history_of_resumed_training_drops_later_records(path: Path) -> None:
    history = History(path)
    written = [record(5), record(9), record(3, 2), record(6, 2), record(8, 2)]
    for added in written:
        history.add(vars(added))
    resumed = History(path, (2, 6))
    assert resumed.existing == tuple(written[:4])
    resumed.add(vars(record(7, 2)))
    resumed.truncate((2, 3))
    resumed.add(vars(record(4, 2)))
    assert read_history(path) == (*written[:3], record(4, 2))
    assert not list(path.parent.glob(".*"))


def test_history_with_unfinished_line_is_read_without_it(path: Path) -> None:
    """A process may be killed while it writes a line."""
    History(path).add(vars(record(1)))
    with path.open("a") as file:
        file.write('{"step": 2, "netw')
    assert read_history(path) == (record(1),)
    History(path, (1, 5)).add(vars(record(2)))
    assert read_history(path) == (record(1), record(2))


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("nonsense", "line 2: Expecting value"),
        ('{"step": 2}', "line 2: record.chars_per_second: expected float, found none"),
        ("[" * 100_000, "line 2: "),
        ("\udcff", "line 2: Expecting value"),
    ],
)
def test_history_with_damaged_line_names_it_and_can_be_continued(path: Path, line: str, part: str) -> None:
    History(path).add(vars(record(1)))
    with path.open("a", errors="surrogateescape") as file:
        file.write(f"{line}\n")
    History(path.with_name("other.jsonl")).add(vars(record(3)))
    path.write_bytes(path.read_bytes() + path.with_name("other.jsonl").read_bytes())
    with pytest.raises(CheckpointError, match=r"a\.jsonl: line 2: .*; move or delete the file") as raised:
        read_history(path)
    assert part in str(raised.value)
    assert History(path, (1, 5)).existing == (record(1),)


def test_history_in_unwritable_place_raises_checkpoint_error(tmp_path: Path, path: Path) -> None:
    (tmp_path / "no").touch()
    with pytest.raises(CheckpointError, match=r"no/a\.jsonl: cannot be written: File exists"):
        History(tmp_path / "no" / "a.jsonl")
    history = History(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(CheckpointError, match=r"a\.jsonl: cannot be written: Is a directory; free some space"):
        history.add(vars(record(1)))
    with pytest.raises(CheckpointError, match=r"a\.jsonl: cannot be read: Is a directory"):
        read_history(path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_history_on_full_disk_raises_checkpoint_error(path: Path) -> None:
    history = History(path)
    path.unlink()
    path.symlink_to("/dev/full")
    with pytest.raises(CheckpointError, match="No space left on device"):
        history.add(vars(record(1)))


def test_history_line_written_by_half_is_removed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the next record, once there is space again, would be appended to a damaged line."""
    history = History(path)
    history.add(vars(record(1)))
    whole = path.read_bytes()

    class Half:
        """A file on a disk that is nearly full."""

        def __init__(self) -> None:
            self.number = os.open(path, os.O_RDWR | os.O_APPEND)

        def __enter__(self) -> "Half":
            return self

        def __exit__(self, *_: object) -> None:
            os.close(self.number)

        def tell(self) -> int:
            return len(whole)

        def write(self, line: bytes) -> int:
            return os.write(self.number, line[:10])

        def truncate(self, size: int) -> None:
            os.ftruncate(self.number, size)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda *_, **__: Half())
        with pytest.raises(CheckpointError, match="No space left"):
            history.add(vars(record(2)))
    assert path.read_bytes() == whole
    history.add(vars(record(2)))
    assert read_history(path) == (record(1), record(2))

"""Invalid checkpoints: each kind gives a one-line error with the file, the key, and the expected and actual values."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from spoiling import Edit, Parts, at, changed, put, refusal, set_to, whole_files
from torch import Tensor

from charrnn.checkpoint import HEADER_KEY, load
from charrnn.config import NgramConfig, SamplingConfig
from charrnn.errors import CheckpointError, ModelError
from charrnn.models.ngram import model as ngram
from charrnn.sampling.generate import generate

Header = dict[str, Any]
Tensors = dict[str, Tensor]
KINDS = ("mkn", "stupid", "longest", "mixture", "several", "mingru", "last")


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    return tmp_path / "bad.safetensors"


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_file_is_one_line(bad: Path, kind: str) -> None:
    file = whole_files()[kind]
    begin = 8 + int.from_bytes(file[:8], "little")
    for length in (0, 3, 7, 8, 9, begin // 2, begin - 1):
        bad.write_bytes(file[:length])
        at_least = 8 if length < 8 else begin
        assert refusal(bad) == (
            f"is truncated: expected at least {at_least:,} bytes, found {length:,}; copy or make the file again"
        )
    for length in (begin, begin + 1, (begin + len(file)) // 2, len(file) - 1):
        bad.write_bytes(file[:length])
        assert refusal(bad) == (
            f"is truncated: expected {len(file):,} bytes, found {length:,}; copy or make the file again"
        )


@pytest.mark.slow
def test_flipped_bit_anywhere_is_detected(bad: Path) -> None:
    for kind in ("mingru", "several"):
        for place in range(8 * len(whole_files()[kind])):
            spoiled = bytearray(whole_files()[kind])
            spoiled[place // 8] ^= 1 << place % 8
            bad.write_bytes(spoiled)
            refusal(bad)


def test_flipped_bit_error_names_the_tensor(bad: Path) -> None:
    parts = Parts.of(whole_files()["mixture"])
    parts.data[parts.table["network.head.bias"]["data_offsets"][0]] ^= 1
    bad.write_bytes(parts.together())
    assert "network.head.bias: expected the checksum" in refusal(bad)
    parts = Parts.of(whole_files()["mixture"])
    parts.table["__metadata__"][HEADER_KEY] = parts.table["__metadata__"][HEADER_KEY].replace("text.txt", "tezt.txt")
    bad.write_bytes(parts.together())
    assert "header: expected the checksum" in refusal(bad)


@pytest.mark.parametrize("length", [640, 896, 1152, 1408])
def test_header_whose_length_looks_like_a_pickle_is_not_called_one(length: int, bad: Path) -> None:
    """A header of 896 bytes, 0x380, was once mistaken for a pickle of protocol 3, which starts with bytes 80 03."""
    text = '{"__metadata__":{"x":"' + "y" * (length - 25) + '"}}'
    bad.write_bytes(length.to_bytes(8, "little") + text.encode())
    with pytest.raises(CheckpointError) as caught:
        load(bad)
    assert "pickle" not in str(caught.value)


def test_old_file_without_checksums_loads(bad: Path) -> None:
    for file in whole_files().values():
        parts = Parts.of(file)
        header = parts.header
        del header["crc32"]
        parts.header = header
        del parts.table["__metadata__"]["crc32"]
        bad.write_bytes(parts.together(is_aligned=True))
        assert load(bad).metadata == load(bad).metadata


@pytest.mark.parametrize(
    ("kind", "edit", "message"),
    [
        ("mingru", put("head.bias", lambda old: old[1:]), "head.bias: expected float32 of shape (15,), found float32"),
        ("mingru", put("head.bias", Tensor.double), "head.bias: expected float32 of shape (15,), found float64"),
        ("mingru", put("head.bias", None), "head.bias: expected float32 of shape (15,), found none"),
        ("several", put("networks.1.head.bias", None), "networks.1.head.bias: expected float32 of shape (15,), found"),
        ("mixture", put("gate.0.bias", None), "gate.0.bias: expected float32 of shape (16,), found none"),
        ("mixture", put("counts.2.tokens", None), "2.tokens is missing"),
        ("mkn", put("3.starts", None), "3.starts is missing"),
        ("longest", put("places", None), "tensors: expected text, places, shorter, starts, last, found"),
        ("longest", put("places", Tensor.bfloat16), "places: expected int32 of shape (442,), found bfloat16"),
        ("mingru", lambda header, _: header.pop("model"), "model: expected ModelConfig, found None"),
        ("mkn", lambda header, _: header.pop("text"), "header.text: expected DatasetInfo, found none"),
        ("mingru", set_to("vocabulary", "abc"), "embedding.weight: expected float32 of shape (3, 3), found"),
        ("mingru", set_to("model.hidden_size", 2**31 - 1), "head.weight: expected float32 of shape (15, 2147483647)"),
        ("mingru", set_to("model.embedding_size", 2**31 - 1), "embedding.weight: expected float32 of shape (15, 21474"),
        ("mingru", set_to("model.num_layers", 1000), "model.num_layers: expected at most 7 in all, found 1000"),
        ("mingru", set_to("model.num_layers", 10**9), "--layers 1000000000: must be from 1 to 1000"),
        ("several", set_to("model.networks", 100), "model.num_layers: expected at most 14 in all, found 100"),
        ("mixture", set_to("model.network.hidden_size", 10**10), "--hidden 10000000000: must be from 1 to 2147483647"),
        ("mkn", set_to("model.order", 100), "4.tokens is missing"),
        ("mkn", set_to("model.order", 10**9), "--order 1000000000: must be from 1 to 100"),
        ("mkn", set_to("model.order", None), "model.order: expected a number, found none"),
        ("mkn", set_to("model.smoothing", "longest"), "--order 3: --smoothing longest has no order"),
        ("mkn", set_to("kind", "recurrent"), "model.blend: expected no such key, found False"),
        ("mkn", put("2.weights", at(1, -1.0)), "2.weights: expected numbers from 0 to 1, found -1.0"),
        ("mkn", put("2.weights", at(1, 2.0**99)), "2.weights: expected numbers from 0 to 1, found 6.3"),
        ("stupid", put("2.backoffs", at(1, -2.0)), "2.backoffs: expected numbers from -1 to 1, found -2.0"),
        ("longest", put("starts", at(3, 10**9)), "starts: expected numbers increasing from 1 to 442"),
    ],
)  # fmt: skip
def test_header_that_does_not_fit_the_tensors_is_one_line(bad: Path, kind: str, edit: Edit, message: str) -> None:
    """Wrong shapes and types, missing keys, absurd sizes; only the checksums match."""
    bad.write_bytes(changed(whole_files()[kind], edit))
    assert message in refusal(bad)


@pytest.mark.parametrize("kind", ["mkn", "longest"])
def test_starts_that_overflow_are_refused(bad: Path, kind: str) -> None:
    """64-bit differences wrap around: these values once seemed to increase, and led far out of bounds."""
    name = "2.starts" if kind == "mkn" else "starts"

    def edit(header: Header, tensors: Tensors) -> None:
        starts = tensors[name].to(torch.int64)
        steps = np.arange(1, len(starts) - 1, dtype=np.uint64) * np.uint64(2**64 // (len(starts) - 1))
        starts[1:-1] = torch.from_numpy(steps.view(np.int64))
        tensors[name] = starts

    bad.write_bytes(changed(whole_files()[kind], edit))
    assert f"{name}: expected numbers" in refusal(bad)


@pytest.mark.parametrize("length", [2**23 + 1, 2**31, 2**63, 2**64 - 1])
def test_header_length_above_limit_is_not_read(bad: Path, length: int) -> None:
    bad.write_bytes(length.to_bytes(8, "little") + whole_files()["mingru"][8:])
    assert refusal(bad) == "not a safetensors file; use a checkpoint made by charrnn (in `checkpoints/`)"


@pytest.mark.parametrize("shape", [[2**62], [2**40, 2**40], [-1], [2**64]])
def test_tensor_larger_than_the_file_is_not_allocated(bad: Path, shape: list[int]) -> None:
    parts = Parts.of(whole_files()["mingru"])
    parts.table["head.bias"]["shape"] = shape
    bad.write_bytes(parts.together())
    assert refusal(bad).startswith("not a safetensors file, or damaged: ")
    parts.table["head.bias"]["data_offsets"] = [0, 2**62]
    bad.write_bytes(parts.together())
    assert refusal(bad).startswith(("is truncated: expected 4,611,686,", "not a safetensors file, or damaged: "))


@pytest.mark.parametrize("text", ["", "{", "not JSON", "[" * 10**6, '{"a":' * 10**5, "1" * 10**5, "\x00"])
def test_metadata_that_is_not_json_is_one_line(bad: Path, text: str) -> None:
    save_file({"a": torch.zeros(3)}, bad, metadata={HEADER_KEY: text})
    assert refusal(bad).startswith("is damaged, or from another version: ")
    assert text[:1] != "n" or "header: expected JSON, found 'not JSON'" in refusal(bad)


def test_newer_format_advises_to_upgrade(bad: Path) -> None:
    bad.write_bytes(changed(whole_files()["mkn"], set_to("format", 2)))
    assert refusal(bad) == "format: expected 1, found 2: made by a newer version of charrnn; upgrade charrnn to open it"


class Trap:
    """An object that creates a file when it is unpickled."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[Callable[[str, int], object], tuple[str, int]]:
        return os.open, (str(self.sprung), os.O_CREAT | os.O_WRONLY)


@pytest.mark.parametrize("name", ["bad.pt", "bad.pth", "bad.safetensors"])
def test_pickle_is_never_unpickled(tmp_path: Path, name: str) -> None:
    bad, sprung = tmp_path / name, tmp_path / "sprung"
    end = "which charrnn does not open because it could run code; use a checkpoint made by charrnn"
    torch.save(Trap(sprung), bad)
    assert refusal(bad) == f"expected a safetensors file, found a PyTorch file (ZIP), {end}"
    torch.save(Trap(sprung), bad, _use_new_zipfile_serialization=False)
    assert refusal(bad) == f"expected a safetensors file, found a pickle, as in older PyTorch files, {end}"
    for protocol in (2, 3, 4, 5):
        bad.write_bytes(pickle.dumps(Trap(sprung), protocol))
        assert "found a pickle" in refusal(bad)
    bad.write_bytes(pickle.dumps(Trap(sprung), 0))
    refusal(bad)
    assert not sprung.exists()
    os.close(pickle.loads(pickle.dumps(Trap(sprung))))
    assert sprung.exists()  # the trap works


@pytest.mark.parametrize("begin", [b"\3\0\0\0\1\0\0\0\2\0\0\0", b"\4\0\0\0\1\0\0\0\3\0\0\0", b"4\n1\n3\nV 1\n"])
def test_torch_file_is_named_as_such(tmp_path: Path, begin: bytes) -> None:
    """Formats of torch-rnn and char-rnn, binary and text."""
    bad = tmp_path / "lm_lstm_epoch50.t7"
    bad.write_bytes(begin + bytes(100))
    assert refusal(bad).startswith("expected a safetensors file, found a Torch file (.t7), which charrnn does not open")


def test_folders_pipes_and_missing_files_are_one_line(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "is a folder; use a .safetensors file in it"
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe") == "is not a regular file; use a .safetensors file"
    assert refusal(tmp_path / "none").startswith("not found")
    assert refusal(tmp_path / ("long" * 1000)).startswith("cannot be read: ")


# n-gram files of gigabytes, whose tables are not looked through when they are loaded.


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("2.starts", at(slice(1, -1), 10**6)),
        ("2.starts", at(slice(1, -1), -5)),
        ("2.tokens", at(slice(None), 99)),
        ("1.tokens", at(slice(None), 0)),
        ("2.weights", at(slice(None), torch.nan)),
    ],
)
def test_damaged_ngram_table_gives_an_error_when_used(
    bad: Path, monkeypatch: pytest.MonkeyPatch, name: str, make: Callable[[Tensor], Tensor]
) -> None:
    """Errors are one line. Some damage cannot be detected: numbers that could be probabilities."""
    monkeypatch.setattr(ngram, "MAX_CHECKED_ENTRIES", 0)
    wide = {"starts": torch.int64, "tokens": torch.int16, "weights": torch.float32}[name[2:]]
    bad.write_bytes(changed(whole_files()["mkn"], put(name, lambda old: make(old.to(wide)))))
    checkpoint = load(bad)
    assert checkpoint.model.config == NgramConfig(order=3, smoothing="mkn")
    for temperature in (0.7, 1.0):
        config = SamplingConfig(temperature=temperature, length=50, seed=0)
        with pytest.raises(ModelError, match="the n-gram file is damaged"):
            list(generate(checkpoint.model, checkpoint.vocabulary, config))

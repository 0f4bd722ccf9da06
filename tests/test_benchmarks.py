"""Programs that need a machine not at hand still run."""

import json
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_gpu_runs_all_its_parts(small_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny and on a CPU; its figures mean nothing."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import gpu

    out = tmp_path / "results" / "gpu.json"
    arguments = [small_file, "--shakespeare", small_file, "--minutes", "0.001", "--batch", "4", "--out", out]
    gpu.main([*map(str, arguments), "--quick", "--device", "cpu"])
    result = json.loads(out.read_text(encoding="utf-8"))
    assert result["quick"]
    assert set(gpu.PARTS) <= set(result)
    assert all(row["chars_per_second"] > 0 for part in gpu.PARTS if part != "layer" for row in result[part])


def test_sampling_runs_all_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import sampling

    threads = torch.get_num_threads()
    sampling.main(["--quick", "--rounds", "1", "--out", str(tmp_path / "sampling.json")])
    assert torch.get_num_threads() == threads
    result = json.loads((tmp_path / "sampling.json").read_text(encoding="utf-8"))
    assert all(row["chars_per_second"] > 0 for part in sampling.PARTS for row in result[part])
    assert {"times_loop", "times_numpy"} <= set(result["one"][0])


def test_the_numpy_peer_is_an_lstm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ratio to something else would mean nothing."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import sampling

    model = sampling.make("lstm", 2, 8)
    tokens, logits = sampling.in_numpy(model)(5)
    with torch.no_grad():
        expected = model(torch.tensor([[0, *tokens[:-1]]]))[0][0, -1]
    torch.testing.assert_close(torch.from_numpy(logits), expected)


def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import gpu

    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    gpu.main([])
    assert capsys.readouterr().out == "no GPU here: nothing was measured\n"


def test_machines_compares_optimizers_and_kernels(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import machines

    monkeypatch.setattr(machines, "WIDTHS", (8,))
    monkeypatch.setattr(machines, "PAIRS", 1)
    machines.main(["--child", "steps"])
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert row["muon_to_adamw"] > 0
    machines.main(["--child", "machine"])
    assert json.loads(capsys.readouterr().out)["instruction_set"]
    assert machines.about(row) == ("lstm 2x8", None)
    assert machines.about({"run": "a", "model": "b"}) == ("a", None)


@pytest.mark.slow
def test_load_disturbs_a_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import load

    out = tmp_path / "load.json"
    load.main(["--seconds", "2", "--settle", "0.5", "--hidden", "32", "--fixed", "--out", str(out)])
    rows = json.loads(out.read_text(encoding="utf-8"))["rows"]
    assert [(row["loops"], row["nice"]) for row in rows] == [(1, 0), (1, 10), (2, 0)]
    assert all(0 < row["share"] < 2 for row in rows)

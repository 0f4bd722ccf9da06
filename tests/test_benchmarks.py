"""Benchmark programs run, including those for machines that are not available here."""

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest
import torch

from charrnn.config import CELLS

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_gpu_benchmark_runs_all_parts(small_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With tiny sizes on a CPU; the figures mean nothing."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import gpu

    out = tmp_path / "results" / "gpu.json"
    arguments = [small_file, "--shakespeare", small_file, "--minutes", "0.001", "--batch", "4", "--out", out]
    gpu.main([*map(str, arguments), "--quick", "--device", "cpu"])
    result = json.loads(out.read_text(encoding="utf-8"))
    assert result["quick"]
    assert set(gpu.PARTS) <= set(result)
    assert all(row["chars_per_second"] > 0 for part in gpu.PARTS if part != "layer" for row in result[part])


def test_sampling_benchmark_runs_all_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import sampling

    threads = torch.get_num_threads()
    sampling.main(["--quick", "--rounds", "1", "--out", str(tmp_path / "sampling.json")])
    assert torch.get_num_threads() == threads
    result = json.loads((tmp_path / "sampling.json").read_text(encoding="utf-8"))
    assert all(row["chars_per_second"] > 0 for part in sampling.PARTS for row in result[part])
    assert {"times_loop", "times_numpy"} <= set(result["one"][0])


def test_numpy_peer_equals_an_lstm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A speed ratio is only fair if both programs compute the same."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import sampling

    model = sampling.make("lstm", 2, 8)
    tokens, logits = sampling.in_numpy(model)(5)
    with torch.no_grad():
        expected = model(torch.tensor([[0, *tokens[:-1]]]))[0][0, -1]
    torch.testing.assert_close(torch.from_numpy(logits), expected)


def test_gpu_benchmark_without_gpu_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import gpu

    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    gpu.main([])
    assert capsys.readouterr().out == "no GPU found; nothing was measured\n"


@pytest.fixture
def first_light(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("gpu_first_light")


def test_first_light_writes_after_every_row(
    first_light: ModuleType, small_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = {name: first_light.STAGES[name] for name in ("recorded", "plain")}
    monkeypatch.setattr(first_light, "STAGES", stages)
    out = tmp_path / "gpu.json"
    options = first_light.Options(small_file, torch.device("cpu"), True)
    result = first_light.first_light(options, out)
    assert json.loads(out.read_text(encoding="utf-8")) == result
    assert set(result) == {"plain"}, "a CPU has no graphs"
    assert [row["passed"] for row in result["plain"]["rows"]] == [True] * 2 * len(CELLS)
    assert not any(stage["findings"] or "ended" in stage for stage in result.values())


def test_first_light_after_a_crashed_or_hung_stage_continues(first_light: ModuleType) -> None:
    bad, good = (first_light.Options(None, torch.device(name), True) for name in ("meta", "cpu"))
    crashed = dict(first_light._run("plain", bad, 60.0))
    assert crashed["ended"].startswith("status 1: ")
    assert any("Traceback" in line for line in crashed["findings"])
    assert dict(first_light._run("peers", good, 0.1))["ended"] == "killed after 0 seconds"


def test_first_light_conclusions_name_what_to_change(first_light: ModuleType) -> None:
    """From made-up figures."""
    steps = [
        {"layers": 2, "width": 256, "rows": 32, "plain_ms": 3.0, "recorded_ms": 1.0, "chars_per_second": 2_000_000},
        {"layers": 2, "width": 256, "rows": 128, "plain_ms": 3.0, "recorded_ms": 1.5, "chars_per_second": 5_000_000},
        {"layers": 2, "width": 512, "rows": 32, "plain_ms": 3.0, "recorded_ms": 2.0, "chars_per_second": 1_000_000},
        {"layers": 3, "width": 512, "rows": 128, "plain_ms": 3.0, "recorded_ms": 2.0, "chars_per_second": 4_000_000},
    ]
    sampling = [{"texts": 1, "chars_per_second": 20_000}, {"texts": 4096, "chars_per_second": 2e7}]
    lines = list(
        first_light.conclusions(
            {
                "plain": {"rows": [{"passed": False}], "findings": []},
                "steps": {"rows": steps},
                "sampling": {"rows": sampling},
            }
        )
    )
    assert lines == [
        "check stage plain: 1 failed; completed; findings: []",
        "training, LSTM 3x512, characters a second: 4,000,000 (target 5,000,000, MISSED)",
        "sampling, one text, LSTM 3x512, characters a second: 20,000 (target 10,000)",
        "sampling, 4,096 texts, LSTM 3x512, characters a second: 20,000,000 (target 10,000,000)",
        "hidden size 256: a step with batch size 128 takes 1.50 times as long as with 32; if below 2, lower "
        "GPU_STREAM_CHARACTERS",
        "hidden size 256 to 512: the time of a step grows with power 1.00 of the hidden size (its weights with power "
        "2); if below 1, raise the minimum of GPU_WIDTHS",
    ]


def test_machines_benchmark_compares_optimizers_and_kernels(
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
def test_load_benchmark_disturbs_a_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import load

    out = tmp_path / "load.json"
    load.main(["--seconds", "2", "--settle", "0.5", "--hidden", "32", "--fixed", "--out", str(out)])
    rows = json.loads(out.read_text(encoding="utf-8"))["rows"]
    assert [(row["loops"], row["nice"]) for row in rows] == [(1, 0), (1, 10), (2, 0)]
    assert all(0 < row["share"] < 2 for row in rows)


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_page_benchmark_measures_every_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import page

    threads = torch.get_num_threads()
    page.main(["--quick", "--out", str(tmp_path / "page.json")])
    torch.set_num_threads(threads)
    rows = json.loads((tmp_path / "page.json").read_text(encoding="utf-8"))["rows"]
    assert [row["model"] for row in rows] == ["lstm 2x8", "attention 1x8", "n-grams of order 6"]
    assert all(rate > 0 for row in rows for rate in row["chars_per_second"].values())


def test_serving_benchmark_loses_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import serving

    serving.main(["--quick", "--out", str(tmp_path / "serving.json")])
    (row,) = json.loads((tmp_path / "serving.json").read_text(encoding="utf-8"))["rows"]
    assert (row["lost"], row["exit_status"]) == (0, 0)
    assert row["ratio"] > 0

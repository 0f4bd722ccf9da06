"""Tables of benchmark results, made from benchmarks/results/*.json, each with its command, machine and date."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from tables import block, code, table

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"

Row = dict[str, Any]
TABLES: dict[str, tuple[str, str, Callable[[Any], str]]] = {}
"""The name of a table → its file of results without `-cpu.json`, the command that measured it, and its function."""


def results(file: str, command: str) -> Callable[[Callable[[Any], str]], Callable[[Any], str]]:
    """Register a function from the content of a JSON file to a table."""

    def register(function: Callable[[Any], str]) -> Callable[[Any], str]:
        TABLES[function.__name__.replace("_", "-")] = (file, command, function)
        return function

    return register


def benchmark_names() -> list[str]:
    """The names of all tables."""
    return sorted(TABLES)


def benchmark_table(name: str, source: bool = True) -> str:
    """The table of a benchmark; below it, how, when and where it was measured.

    Args:
        name: one of `benchmark_names()`.
        source: whether to add the line below.
    """
    file, command, function = TABLES[name]
    content = _load(file)
    lines = function(content)
    return lines + block(source_line(content, command)).lstrip("\n") if source else lines


def _load(file: str) -> Any:
    return json.loads((RESULTS / f"{file}-cpu.json").read_text(encoding="utf-8"))


def source_line(content: Any, command: str) -> str:
    """How, when and where results were measured."""
    machine = content["machine"] if "machine" in content else content["all"]["machine"]
    instructions = (
        f" with {machine['instruction_set']}" if "instruction_set" in machine and "all" not in content else ""
    )
    where = [
        f"{machine['processor']}{instructions}",
        f"{machine['cores']} cores",
        f"{machine['memory_gb']:.0f} GB of memory",
        machine["gpu"] or "no GPU",
        f"Python {machine['python']}",
        f"PyTorch {machine['torch'].split('+')[0]}",
    ]
    return f"*Measured on {machine['date']} with `{command}`: {', '.join(where)}.*"


def _rows(content: Any, **wanted: object) -> Iterator[Row]:
    """The rows that have these values."""
    for row in content["rows"]:
        if all(row.get(key) == value for key, value in wanted.items()):
            yield row


def _figure(bits: float | None, impossible: float = 0) -> str:
    return three_digits(bits) if bits is not None else f"∞ ({impossible:.1%} have probability 0)"


def three_digits(number: float) -> str:
    """Rounded as people do: 2.0345 is 2.035, whatever the binary number is."""
    return str(Decimal(str(number)).quantize(Decimal("0.001"), ROUND_HALF_UP))


def _model(name: str) -> str:
    """A model as its JSON names it, with the cell in capitals."""
    for cell, label in {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN", "minLSTM": "minLSTM", "mingru": "minGRU"}.items():
        if name.startswith(f"{cell} "):
            return label + name[len(cell) :]
    return name.replace("minlstm", "minLSTM")


@results("quality", "python benchmarks/quality.py tinyshakespeare.txt")
def quality(content: Any) -> str:
    """Whole `train` commands on Tiny Shakespeare."""
    rows: list[tuple[str, ...]] = []
    notes: list[str] = []
    for row in content["rows"]:
        if "window" not in row:
            continue
        command = row["run"].removeprefix("charrnn train ")
        mark = ""
        if "note" in row:
            mark = f" {'*' * (len(notes) + 1)}"
            notes.append(f"{mark.strip()} {row['note']}.".replace("*", "\\*"))
        rows.append(
            (
                code(command) + mark.replace("*", "\\*"),
                _model(row["model"]),
                f"{row['seconds']:.0f} s",
                three_digits(row["bits_per_char"]),
                three_digits(row["nats_per_char"]),
                three_digits(row["window"]["nats_per_char"]),
                three_digits(row["online"]["nats_per_char"]) if row["online"] else "",
                f"{row['novelty']['novel_10']:.1%}",
                f"{row['held_out_novelty']['novel_10']:.1%}",
            )
        )
    head = (
        "`charrnn train tinyshakespeare.txt`", "model", "time", "bits/char", "nats/char", "windows of 256, nats",
        "online, nats", "novel 10-grams", "of held-out text",
    )  # fmt: skip
    return table(head, rows, "llrrrrrrr") + block(*notes[:1], *(line for note in notes[1:] for line in ("", note)))


@results("machines", "python benchmarks/machines.py tinyshakespeare.txt --shakespeare shakespeare.txt")
def quality_by_machine(content: Any) -> str:
    """Whole commands with all instructions of the processor and with AVX2 alone."""
    sets = ("all", "avx2")
    found = {name: {row["run"]: row for row in content[name]["quality"]} for name in sets}
    rows = []
    for run in sorted(found["all"], key=_run_order):
        cells = [code(run)]
        for name in sets:
            row = found[name].get(run)
            cells.append(f"{row['bits_per_char']:.3f} ({row['nats_per_char']:.3f})" if row else "")
            model = _model(row["model"]).partition(" with ")[0] if row and "model" in row else ""
            cells.append(f"{model}, {row['seconds']:.0f} s" if row and model else "")
        rows.append(cells)
    titles = [content[name]["machine"]["instruction_set"] for name in sets]
    head = ["command", *(cell for title in titles for cell in (f"{title}: bits/char (nats)", "chosen, time"))]
    return table(head, rows, "lrlrl")


def _run_order(run: str) -> tuple[object, ...]:
    words = run.split()
    minutes = int(words[words.index("--minutes") + 1]) if "--minutes" in words else 0
    return words[1] == "ngram", words[2] != "tinyshakespeare", "--with-ngram" in words, minutes


def _architectures(content: Any, text: str) -> str:
    """Networks of different cells by training time, and n-grams, on a text: bits per character (nats in windows)."""
    rows = {row["run"]: row for row in _rows(content, text=text)}
    minutes = sorted({row.split()[-1] for row in rows if "--minutes" in row}, key=float)
    lines = []
    for cell, label in ARCHITECTURES.items():
        found = [rows.get(f"charrnn train {text} --cell {cell} --minutes {time}") for time in minutes]
        cells = (
            f"{three_digits(row['bits_per_char'])} ({three_digits(row['window']['nats_per_char'])}), "
            f"{row['model'].removeprefix(cell).strip()}"
            if row
            else ""
            for row in found
        )
        lines.append([f"{label}: `--cell {cell}`", *cells])
    ngrams = rows[f"charrnn ngram {text}"]
    score = f"{three_digits(ngrams['bits_per_char'])} ({three_digits(ngrams['window']['nats_per_char'])})"
    lines.append([f"n-grams: `charrnn ngram`, {ngrams['seconds']:.0f} s", score, *[""] * (len(minutes) - 1)])
    return table(
        ["model", *(f"{time} minute{'s' * (time != '1')}" for time in minutes)], lines, "l" * (1 + len(minutes))
    )


ARCHITECTURES = {
    "lstm": "LSTM",
    "mingru": "minGRU",
    "lstm,attention": "LSTM with attention",
    "attention": "attention",
}
ARCHITECTURES_COMMAND = "python benchmarks/architectures.py tinyshakespeare.txt python.txt"


@results("architectures", ARCHITECTURES_COMMAND)
def architectures(content: Any) -> str:
    """Networks of different cells, and n-grams, on Tiny Shakespeare."""
    return _architectures(content, "tinyshakespeare")


@results("architectures", ARCHITECTURES_COMMAND)
def architectures_python(content: Any) -> str:
    """Networks of different cells, and n-grams, on Python's library."""
    return _architectures(content, "python")


@results("architectures", ARCHITECTURES_COMMAND)
def architecture_samples(content: Any) -> str:
    """What the networks of the longest training write."""
    minutes = max((row["run"].split()[-1] for row in _rows(content) if "--minutes" in row["run"]), key=float)
    parts = []
    for text in ("tinyshakespeare", "python"):
        for cell, label in ARCHITECTURES.items():
            for row in _rows(content, run=f"charrnn train {text} --cell {cell} --minutes {minutes}"):
                parts += ["", f"{text}, {label}:", "", "```text", *row["sample"].strip("\n").splitlines(), "```"]
    return "\n".join(parts) + "\n"


@results("attention", "python benchmarks/attention.py")
def attention_steps(content: Any) -> str:
    """Training steps of attention and of a network like nanoGPT's."""
    return table(
        ["layers x width", "batch", "T", "window", "parameters", "charrnn", "peer", "charrnn / peer"],
        (
            [
                f"{row['layers']}x{row['width']}", f"{row['rows']}", f"{row['length']}", f"{row['window']}",
                f"{row['parameters']:,}", f"{row['charrnn_ms']:.0f} ms", f"{row['peer_ms']:.0f} ms",
                f"{row['charrnn_to_peer']:.2f}",
            ]
            for row in content["rows"]
        ),
        "lrrrrrrr",
    )  # fmt: skip


@results("page", "python benchmarks/page.py")
def page_speed(content: Any) -> str:
    """Exported pages: size, time to open, speed."""
    return table(
        ["model", "weights", "page", "opens in", "characters a second", "with expectations", "page / `charrnn sample`"],
        (
            [
                row["model"], f"{row['bits_of_a_weight']} bits", f"{row['megabytes']:.2f} MB",
                f"{row['milliseconds_to_open']} ms", f"{row['chars_per_second']['page']:,}",
                f"{row['chars_per_second']['page_explained']:,}", f"{row['ratio']:.2f}",
            ]
            for row in content["rows"]
        ),
        "lrrrrrr",
    )  # fmt: skip


@results("serving", "python benchmarks/serving.py")
def serving_speed(content: Any) -> str:
    """64 clients of a server at once, beside `charrnn sample --count 64`."""
    return table(
        ["model", "clients", "lost", "characters a second, all clients", "`sample --count 64`", "ratio"],
        (
            [
                row["model"], f"{row['clients']}", f"{row['lost']}", f"{row['chars_per_second']['serve']:,}",
                f"{row['chars_per_second']['sample']:,}", f"{row['ratio']:.2f}",
            ]
            for row in content["rows"]
        ),
        "lrrrrr",
    )  # fmt: skip


@results("ngram", "python benchmarks/ngram.py tinyshakespeare.txt")
def ngram_static(content: Any) -> str:
    """N-gram models of Tiny Shakespeare, static, ordered by bits per character."""
    rows = sorted(_rows(content, figure="static"), key=lambda row: row["bits_per_char"] or 9 + row["impossible_share"])
    cells = (
        (
            row["model"],
            _figure(row["bits_per_char"], row["impossible_share"]),
            f"{row['entries']:,}" if "order" in row["model"] else "",
            f"{row['fit_seconds']:.1f} s",
        )
        for row in rows
        if not (row["model"].startswith("mkn") and row["model"] != "mkn order 7" and row["model"] != "mkn order 9")
    )
    return table(("model", "bits/char", "n-grams", "fitted in"), cells, "lrrr")


@results("ngram", "python benchmarks/ngram.py tinyshakespeare.txt")
def ngram_orders(content: Any) -> str:
    """Modified Kneser-Ney by order."""
    rows = [row for row in _rows(content, figure="static") if row["model"].startswith("mkn order")]
    rows.sort(key=lambda row: row["model"])
    return table(
        ["order of `mkn`", *(row["model"].split()[-1] for row in rows)],
        [
            ["bits/char", *(three_digits(row["bits_per_char"]) for row in rows)],
            ["n-grams", *(f"{row['entries']:,}" for row in rows)],
        ],
        "l" + "r" * len(rows),
    )


@results("ngram", "python benchmarks/ngram.py tinyshakespeare.txt")
def ngram_online(content: Any) -> str:
    """N-grams that go on counting, and PPMd, ordered by bits per character."""
    rows = sorted(_rows(content, figure="online"), key=lambda row: row["bits_per_char"])
    return table(
        ("model, online", "bits/char"), ((row["model"], three_digits(row["bits_per_char"])) for row in rows), "lr"
    )


@results("ngram", "python benchmarks/ngram.py tinyshakespeare.txt")
def ngram_speed(content: Any) -> str:
    """How fast n-grams are counted, scored and sampled, on Tiny Shakespeare."""
    rows: list[tuple[str, str]] = []
    for row in _rows(content, figure="fit, order 7"):
        peer = "KenLM's lmplz (whole process)" if row["against"] == "lmplz" else "Python dictionaries"
        times = f"{row['seconds']:.2f} s; {row['ratio']:.1f} times as fast as {peer}, {row['peer_seconds']:.2f} s"
        rows.append(("count and smooth 1 MB, `mkn` of order 7", times))
    for row in _rows(content, figure="scoring"):
        rows.append(("score", f"{row['microseconds_per_char']:.2f} µs per character"))
    for row in content["rows"]:
        if row["figure"].startswith("sampling, "):
            streams = "one text" if "one" in row["figure"] else "1,024 texts at once"
            rate = f"{row['chars_per_second']:,} characters per second"
            rows.append((f"sample {streams} at temperature {row['temperature']:g}", rate))
    for row in _rows(content, figure="file"):
        rows.append((f"open a model file of {row['bytes'] / 1e6:.0f} MB", f"{row['opened_in_milliseconds']:.0f} ms"))
    for row in _rows(content, figure="novelty of 100,000 characters"):
        rows.append(("find what 100,000 characters copy from 1 MB", f"{row['seconds']:.2f} s"))
    return table(("task", "time"), rows)


@results("ngram", "python benchmarks/ngram.py tinyshakespeare.txt --large source-100mb.txt source-1gb.txt")
def ngram_large(content: Any) -> str:
    """Large texts: source code of 100 MB and 1 GB."""
    rows = (
        (
            f"{row['characters'] / 1e6:,.0f} million characters",
            row["model"],
            f"{row['fit_seconds']:.1f} s",
            f"{row['largest_memory_gb']:.1f} GB",
            f"{row['entries'] / 1e6:.0f} million",
            f"{row['bytes'] / 1e9:.1f} GB",
            three_digits(row["bits_per_char_of_the_first_million"]),
            f"{row['opened_in_milliseconds']:.0f} ms",
        )
        for row in _rows(content, figure="large text")
    )
    head = ("source code", "model", "fitted in", "memory", "n-grams", "file", "bits/char", "file opened in")
    return table(head, rows, "llrrrrrr")


@results("training", "python benchmarks/training.py")
def training(content: Any) -> str:
    """Training steps as multiples of the speed of a plain PyTorch program."""
    rows = [
        (
            row["cell"].upper() + (f", dropout {row['dropout']}" if row["dropout"] else ""),
            row["shape"],
            row["batch"].replace("x", " x "),
            f"{row['peer_chars_per_second']:,}",
            f"{row['float32']['times_the_peer']:.2f}",
            f"{row['auto']['times_the_peer']:.2f}",
            f"{row['auto, muon']['times_the_peer']:.2f}",
        )
        for row in content["rows"]
        if "cell" in row
    ]
    head = (
        "cell", "layers x units", "streams x characters", "PyTorch, characters per second", "float32, AdamW",
        "bfloat16, AdamW", "bfloat16, Muon",
    )  # fmt: skip
    return table(head, rows, "lllrrrr")


@results("training", "python benchmarks/training.py")
def scan(content: Any) -> str:
    """The scan of minGRU and minLSTM, forward and backward, as multiples of the speed of a Python loop."""
    rows = (
        (
            " x ".join(row["scan"].split("x")),
            f"{row['milliseconds']['gated_loop']:.1f} ms",
            f"{row['milliseconds']['gated_scan']:.1f} ms",
            f"{row['gated_scan_times_its_loop']:.1f}",
        )
        for row in content["rows"]
        if "scan" in row
    )
    return table(("streams x characters x units", "Python loop", "charrnn", "times as fast"), rows, "lrrr")


@results("scaling", "python benchmarks/scaling.py")
def scaling(content: Any) -> str:
    """Two processes of one thread each, compared with one process; LSTM, the same global batch."""
    rows = (
        (
            row["shape"],
            row["batch"].replace("x", " x "),
            f"{row['times_one_thread']:.2f}",
            f"{row['times_two_threads']:.2f}",
            f"{row['exchange_milliseconds']:.1f} ms",
        )
        for row in content["rows"]
    )
    head = (
        "LSTM, layers x units", "streams x characters", "times one process of one thread",
        "times one process of two threads", "exchange of gradients, per step",
    )  # fmt: skip
    return table(head, rows, "llrrr")


@results("sampling", "python benchmarks/sampling.py")
def sampling(content: Any) -> str:
    """One text on one thread: characters per second, and multiples of the speed of a plain loop and of NumPy."""
    rows = (
        (
            f"{_model(row['cell'] + ' ' + row['shape'])}",
            f"{row['chars_per_second']:,}",
            f"{row['times_loop']:.1f}" if "times_loop" in row else "",
            f"{row['times_numpy']:.1f}" if "times_numpy" in row else "",
        )
        for row in content["one"]
    )
    return table(("network", "characters per second", "times a PyTorch loop", "times NumPy"), rows, "lrrr")


@results("sampling", "python benchmarks/sampling.py")
def sampling_many(content: Any) -> str:
    """Several texts side by side."""
    rows = (
        (_model(f"{row['cell']} {row['shape']}"), f"{row['texts']:,}", row["threads"], f"{row['chars_per_second']:,}")
        for row in content["many"]
    )
    return table(("network", "texts", "threads", "characters per second in all"), rows, "lrrr")


@results("sampling", "python benchmarks/sampling.py")
def scoring(content: Any) -> str:
    """Scoring a million characters in order."""
    rows = (
        (
            _model(f"{row['cell']} {row['shape']}"),
            row["threads"],
            f"{row['seconds']:.1f} s",
            f"{row['chars_per_second']:,}",
            f"{row['times_pytorch']:.1f}",
        )
        for row in content["scoring"]
    )
    head = ("network", "threads", "a million characters", "characters per second", "times PyTorch")
    return table(head, rows, "lrrrr")


@results("load", "python benchmarks/load.py")
def load(content: Any) -> str:
    """Training on a busy machine, with all instructions and with AVX2 alone."""
    rows = []
    for part in (content, _load_avx2()):
        for row in part["rows"]:
            nice = f", `nice -n {row['nice']}`" if row["nice"] else ""
            rows.append(
                (
                    part["machine"]["instruction_set"],
                    row["threads"],
                    f"{row['loops']}{nice}",
                    f"{row['alone_chars_per_second']:,}",
                    f"{row['share']:.0%}",
                    f"{row['recovery_seconds']:.1f} s",
                )
            )
    head = (
        "instructions", "`--threads`", "busy processes", "alone, characters per second", "speed that is left",
        "full speed again after",
    )  # fmt: skip
    return table(head, rows, "lllrrr")


def _load_avx2() -> Any:
    return json.loads((RESULTS / "load-cpu-avx2.json").read_text(encoding="utf-8"))


@results("machines", "python benchmarks/machines.py tinyshakespeare.txt --parts busy")
def busy(content: Any) -> str:
    """`train --minutes 1` on a machine where another process is busy, AVX2."""
    run = "charrnn train tinyshakespeare --minutes 1"
    alone = next(row for row in content["avx2"]["quality"] if row["run"] == run)
    rows = [
        (
            row.get("one loop", "never"),
            f"{row['seconds']:.0f} s",
            f"{row['steps']:,}",
            three_digits(row["bits_per_char"]),
            three_digits(row["nats_per_char"]),
        )
        for row in (alone, *content["avx2"]["busy"])
    ]
    return table(("one core is busy (AVX2)", "time", "steps", "bits/char", "nats/char"), rows, "lrrrr")


@results("machines", "python benchmarks/machines.py tinyshakespeare.txt --parts plain")
def no_compiler(content: Any) -> str:
    """Speed without a C compiler, as a share of the speed with one."""
    return _by_cell(
        content,
        "plain",
        {"training": lambda row: f"{row['training_share']:.0%}", "sampling": lambda row: f"{row['writing_share']:.0%}"},
    )


@results("machines", "python benchmarks/machines.py tinyshakespeare.txt --parts steps")
def optimizers(content: Any) -> str:
    """Time of a training step with Muon and with AdamW."""
    return _by_cell(
        content,
        "steps",
        {
            "AdamW": lambda row: f"{row['adamw_ms']:.1f} ms",
            "Muon": lambda row: f"{row['muon_ms']:.1f} ms",
            "ratio": lambda row: f"{row['muon_to_adamw']:.2f}",
        },
    )


@results("machines", "python benchmarks/machines.py tinyshakespeare.txt --parts allowed")
def allowed_threads(content: Any) -> str:
    """Training where OMP_NUM_THREADS allows more threads than there are cores."""
    return _by_cell(
        content,
        "allowed",
        {
            "characters per second": lambda row: f"{row['chars_per_second']:,}",
            "threads used": lambda row: str(row["threads"]),
        },
        "`OMP_NUM_THREADS`",
    )


def _by_cell(content: Any, part: str, columns: dict[str, Callable[[Row], str]], title: str = "network") -> str:
    """A table with a row for each network, and these columns for each instruction set."""
    sets = ("all", "avx2")
    head = [title]
    rows: dict[str, list[str]] = {}
    for name in sets:
        head += [f"{content[name]['machine']['instruction_set']}: {column}" for column in columns]
        for row in content[name][part]:
            key = _model(str(row.get("cell", row.get("model", "")))).removesuffix(" allowed")
            rows.setdefault(key, [key]).extend(format_cell(row) for format_cell in columns.values())
    return table(head, rows.values(), "l" + "r" * (len(head) - 1))

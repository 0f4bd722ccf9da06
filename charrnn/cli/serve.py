"""`charrnn serve`: write text for other programs, and on a page."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli.shared.options import CheckpointsArgument, DeviceOption, check_range
from charrnn.errors import CharRNNError, UsageError

if TYPE_CHECKING:
    from charrnn.serve.server import ModelServer

DRAIN_SECONDS = 30.0
"""Seconds that texts have to end after SIGTERM."""


def serve(
    names: CheckpointsArgument = None,
    *,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Address to listen on; another one needs --token.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", help="Port to listen on (0: a free one).", callback=check_range(0, 65_535))
    ] = 8000,
    token: Annotated[
        str | None,
        typer.Option(metavar="TOKEN", help="Token that clients must send ('new': make one, and print it)."),
    ] = None,
    max_length: Annotated[
        int, typer.Option(metavar="N", help="Maximum length of a text, in characters.", callback=check_range(1))
    ] = 10_000,
    max_texts: Annotated[
        int,
        typer.Option(
            metavar="N", help="Maximum number of texts at a time, written and waiting.", callback=check_range(1)
        ),
    ] = 256,
    max_seconds: Annotated[float, typer.Option(metavar="X", help="Maximum time for a text, in seconds.")] = 120.0,
    device: DeviceOption = "auto",
) -> None:
    """Serve models to other programs, and on a page.

    Programs use the completions API of OpenAI at /v1/completions: prompt, max_tokens (in characters), temperature,
    top_p, n, stop, seed, stream, logprobs and echo. The page at / writes with all models side by side.

    Without --host, only programs of this computer can connect. Ctrl-C or SIGTERM ends the server, after the texts that
    are being written.
    """
    from charrnn.checkpoint import load
    from charrnn.cli.shared.devices import select_device
    from charrnn.cli.shared.locate import locate_checkpoints
    from charrnn.cli.shared.terminal import log_field
    from charrnn.export.page import served_page
    from charrnn.serve.batcher import Batcher
    from charrnn.serve.requests import Limits
    from charrnn.serve.server import ModelServer, is_loopback

    if not max_seconds > 0:  # NaN neither
        raise UsageError(f"--max-seconds {max_seconds:g}: must be more than 0")
    if token == "new":
        import secrets

        token = secrets.token_urlsafe(24)
    if token is None and not is_loopback(host):
        raise UsageError(f"--host {host}: other computers could use the models; add --token new, or a token of yours")
    torch_device = select_device(device)
    checkpoints = [load(path, torch_device) for path in locate_checkpoints(names or [], "serve")]
    batchers = {checkpoint.name: Batcher(checkpoint, max_texts) for checkpoint in checkpoints}
    if len(batchers) < len(checkpoints):
        raise UsageError("two models have the same name; rename a file, so that clients can choose")
    limits = Limits(length=max_length, seconds=max_seconds, texts=max_texts)
    page = served_page(checkpoints).encode()
    try:
        server = ModelServer((host, port), batchers, page, limits, token)
    except OSError as error:
        raise CharRNNError(f"--port {port}: {error.strerror}; use another one, or 0 for a free one") from error
    for checkpoint in checkpoints:
        log_field("model", f"{checkpoint.name}: {checkpoint.description}")
        batchers[checkpoint.name].start()
    bound = server.server_address[1]
    shown = f"[{host}]" if ":" in host else host
    log_field("page", f"http://{shown}:{bound}/" + (f"?token={token}" if token else ""))
    log_field("API", f"http://{shown}:{bound}/v1/completions")
    _run(server)


def _run(server: ModelServer) -> None:
    """Serve until a signal comes, and then until all texts are sent."""
    from charrnn.cli.shared.terminal import log

    def stop(number: int, frame: Any) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()

    previous = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        server.serve_forever(poll_interval=0.2)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    server.socket.close()
    log("no new texts are accepted; waiting for those that are being written")
    if not server.drain(DRAIN_SECONDS):
        log(f"some texts did not end in {DRAIN_SECONDS:g} seconds, and were cut off")

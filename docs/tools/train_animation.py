"""Record `charrnn train` and `charrnn sample` in a terminal, as an animated GIF: docs/pictures/train.gif.

Run `python docs/tools/train_animation.py [MINUTES]`. Needs tmux, and charrnn with its extra `report` (Pillow and DejaVu
Sans Mono come with matplotlib).
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import MONOKAI
from rich.text import Text

GIF = Path(__file__).parents[1] / "pictures" / "train.gif"
COLUMNS, ROWS = 96, 26
FONT_SIZE, LINE_HEIGHT, MARGIN = 14, 18, 10
SECONDS_PER_FRAME = 4.0
"""Seconds of the recording between two frames."""
FRAME_MS, LAST_FRAME_MS = 350, 8000
"""Milliseconds for which each frame, and the last one, is shown."""
RGB = tuple[int, int, int]
BACKGROUND, FOREGROUND = (24, 26, 31), (214, 216, 222)
SESSION = "charrnn-animation"


def tmux(*arguments: str) -> str:
    """Run tmux with a server of its own; its output."""
    command = ["tmux", "-L", SESSION, "-f", "/dev/null", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def record(commands: list[str], home: str) -> list[str]:
    """Type commands into a shell in a folder, one after the other; the screens, with their escape sequences."""
    folder, program = Path(home), shlex.quote(str(Path(sys.executable).with_name("charrnn")))
    tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), "-c", home, "bash --norc")
    screens, prompts = [], 2
    try:
        # Each prompt leaves a file, which says that the command before has ended.
        tmux("send-keys", "number=0; PS1='$ '; PROMPT_COMMAND='number=$((number + 1)); touch prompt$number'", "Enter")
        tmux("send-keys", f'charrnn() {{ {program} "$@"; }}; charrnn data shakespeare; clear', "Enter")
        for command in [None, *commands]:
            if command:
                tmux("send-keys", command, "Enter")
            while not (folder / f"prompt{prompts}").exists():
                time.sleep(SECONDS_PER_FRAME)
                screens.append(tmux("capture-pane", "-e", "-p") if command else "")
            prompts += 1
            screens.append(tmux("capture-pane", "-e", "-p"))
    finally:
        tmux("kill-server")
    return [screen for screen in screens if screen.strip()]


def colour(value: Color | None, default: RGB) -> RGB:
    """The RGB values of a terminal's colour."""
    if value is None or value.is_default:
        return default
    red, green, blue = value.get_truecolor(MONOKAI)
    return red, green, blue


def draw(screen: str) -> Image.Image:
    """A picture of a screen."""
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    regular = ImageFont.truetype(str(fonts / "DejaVuSansMono.ttf"), FONT_SIZE)
    bold = ImageFont.truetype(str(fonts / "DejaVuSansMono-Bold.ttf"), FONT_SIZE)
    width = regular.getlength("M")
    picture = Image.new("RGB", (int(COLUMNS * width) + 2 * MARGIN, ROWS * LINE_HEIGHT + 2 * MARGIN), BACKGROUND)
    pen, console = ImageDraw.Draw(picture), Console(width=COLUMNS)
    for row, line in enumerate(screen.splitlines()[:ROWS]):
        column = 0
        for segment in Text.from_ansi(line).render(console):
            style = segment.style or Style()
            for character in segment.text.rstrip("\n"):
                place = (MARGIN + column * width, MARGIN + row * LINE_HEIGHT)
                ink = colour(style.color, FOREGROUND)
                if style.dim:
                    ink = ((ink[0] + BACKGROUND[0]) // 2, (ink[1] + BACKGROUND[1]) // 2, (ink[2] + BACKGROUND[2]) // 2)
                pen.text(place, character, fill=ink, font=bold if style.bold else regular)
                column += 1
    return picture


def main() -> None:
    """Record a training of some minutes (default: 3) on Shakespeare's plays, and two samples."""
    minutes = sys.argv[1] if len(sys.argv) > 1 else "3"
    with tempfile.TemporaryDirectory() as folder:
        train = f"charrnn train shakespeare.txt --minutes {minutes}"
        commands = [train, "clear", "charrnn sample --temp 0.8 --length 600 --seed 1"]
        screens = record(commands, folder)
    frames = [draw(screen).quantize(32) for screen in dict.fromkeys(screens)]
    durations = [FRAME_MS] * (len(frames) - 1) + [LAST_FRAME_MS]
    frames[0].save(GIF, save_all=True, append_images=frames[1:], duration=durations, loop=0, optimize=True)


if __name__ == "__main__":
    main()

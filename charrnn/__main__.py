"""`charrnn`, and `python -m charrnn`."""

import sys


def main() -> None:
    """Run the command line; a Ctrl-C that comes while it is being loaded, or begins, is one line too."""
    try:
        from charrnn.cli.shared import interrupts

        interrupts.install()
        from charrnn.cli.main import main as run

        run()
    except KeyboardInterrupt:
        print("charrnn: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()

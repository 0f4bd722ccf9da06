"""`charrnn`, and `python -m charrnn`."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C prints one line even while modules are being imported."""
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

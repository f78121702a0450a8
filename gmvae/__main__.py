"""``python -m gmvae`` is the command ``gmvae``. It can be asked to end from here on, while it imports too."""

import os
import sys

from gmvae.cli.signals import STOPPED, status, terminable


def main() -> int:
    """Run the command line; the exit status."""
    try:
        with terminable():
            from gmvae.cli import app

            code = app.main()
    except KeyboardInterrupt as stop:  # app.main has dealt with those of its own time
        print("gmvae: stopped before it began: nothing was written", file=sys.stderr)
        code = status(stop)
    if code in STOPPED:  # Python would report the signal again, or wait for what was half imported
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(main())

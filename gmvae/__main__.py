"""Entry point of ``python -m gmvae`` and of the command ``gmvae``. Signals are handled from here
on, also during the imports."""

import os
import sys

from gmvae.cli.signals import STOPPED, status, terminable


def main() -> int:
    """Run the command line and return the exit status."""
    try:
        with terminable():
            from gmvae.cli import app

            code = app.main()
    except KeyboardInterrupt as stop:  # app.main handles those that come while it runs
        print("gmvae: stopped before it began: nothing was written", file=sys.stderr)
        code = status(stop)
    if code in STOPPED:  # Python would report the signal again, or wait for a half-finished import
        from gmvae.data.scratch import remove_all

        remove_all()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(main())

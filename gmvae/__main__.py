"""``python -m gmvae`` is the command ``gmvae``."""

import sys

from gmvae.cli.app import main

sys.exit(main())

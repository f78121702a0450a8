"""``python -m gmvae`` is the command ``gmvae``."""

import sys

from gmvae.cli import main

sys.exit(main())

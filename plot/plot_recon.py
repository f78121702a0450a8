"""Follow the reconstructions of the newest run, or of RUN, in a window: python plot_recon.py [RUN]"""

import sys

from follow import follow

if __name__ == "__main__":
    sys.exit(follow("plot_recon"))

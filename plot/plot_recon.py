"""The reconstructions of the newest run, in a window that follows it: python plot_recon.py [RUN]"""

import sys

from follow import follow

if __name__ == "__main__":
    sys.exit(follow("plot_recon"))

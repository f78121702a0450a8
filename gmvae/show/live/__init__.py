"""The page that follows runs: ``runs`` reads their folders, ``page`` draws them with Bokeh, and ``server``
serves the page, by default on loopback, and pushes updates."""

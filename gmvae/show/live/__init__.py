"""The page that follows runs: ``runs`` reads their folders, ``page`` draws them with Bokeh, ``server``
serves it on loopback and pushes what is new."""

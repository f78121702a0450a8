"""A fit explained in one HTML file, which needs no network. ``facts`` turn the arrays of
:mod:`gmvae.show.content` into sentences, tables and strips; ``charts`` are Bokeh's; ``pictures`` puts images
on one sheet; ``page`` fills the templates beside it.
"""

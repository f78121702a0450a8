"""A fit explained in one HTML file, which needs no network. ``content`` is what it is made of, as arrays and
JSON values; ``facts`` turn that into sentences, tables and strips; ``charts`` are Bokeh's; ``pictures`` puts
images on one sheet; ``page`` fills the templates beside it.
"""

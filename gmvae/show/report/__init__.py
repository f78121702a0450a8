"""Explain a fit in one HTML file that works offline. ``facts`` turns the arrays of :mod:`gmvae.show.content`
into sentences, tables and histograms; ``charts`` draws with Bokeh; ``pictures`` puts images on one sheet;
``page`` fills in the templates.
"""

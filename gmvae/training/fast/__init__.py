"""The fast step: the gradient of the loss written out by hand, for the fully connected network.

A step of a small network is nearly all overhead: of autograd's graph, of the modules, and of hundreds of
operations on a few hundred numbers. ``step`` computes the same loss and the same gradient with fewer of them.
``stages`` does so for the two losses of a start. ``layers`` has the layers' forward and backward passes,
``terms`` those of the objective's terms.
:mod:`gmvae.model.objective` with autograd stays the reference, to which a test holds it, and serves whatever
this does not cover.
"""

"""The fast step: a hand-written gradient of the loss, for the fully connected network and the compact one.

A step of a small network is nearly all overhead: autograd's graph, the modules, and hundreds of operations on
a few hundred numbers. ``step`` computes the same loss and the same gradient with fewer operations, for one
model or for several side by side, whose tensors ``stack`` joins. ``stages`` does so for the two losses of a
start. ``layers`` has the forward and backward passes of the layers, ``convolutions`` those of the compact
network with the compiled loops of ``kernels``, ``frozen`` the teacher of anchored clusters, and ``terms`` the
objective's terms. :mod:`gmvae.model.objective` with autograd remains the reference: a test compares the two,
and it is used for everything that is not covered here.
"""

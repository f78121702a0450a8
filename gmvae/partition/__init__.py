"""Clusters as arrays, without a model: the graph of nearest neighbours, modularity, mixtures, agreement with
labels and with each other, and stability under resampling. Arrays come in, arrays and numbers go out.
"""

"""Clusters as arrays, without a model: nearest-neighbour graphs, modularity, mixtures, agreement with labels
and between partitions, and stability under resampling. Everything takes arrays and returns arrays or numbers.
"""

"""Data sets: everything that is read or generated comes out as one :class:`Dataset`."""

from gmvae.data.dataset import Dataset
from gmvae.data.load import load
from gmvae.data.spiral import spiral

__all__ = ["Dataset", "load", "spiral"]

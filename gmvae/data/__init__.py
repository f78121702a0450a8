"""Data sets: everything that is read or generated comes out as one :class:`Dataset`."""

from gmvae.data.dataset import Dataset, scaled
from gmvae.data.images import fashion_mnist, mnist, svhn
from gmvae.data.load import load
from gmvae.data.spiral import spiral

__all__ = ["Dataset", "fashion_mnist", "load", "mnist", "scaled", "spiral", "svhn"]

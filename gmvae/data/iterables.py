"""Python objects that give rows in batches: a torch dataset, or an iterable."""

from __future__ import annotations

from typing import Any

from torch.utils.data import Dataset


def is_stream(given: Any) -> bool:
    """Whether rows come in batches: from a torch dataset, or from an object that has ``__iter__`` and is
    neither an array nor a table."""
    if isinstance(given, Dataset):
        return True
    if type(given).__module__.startswith("polars"):  # a lazy frame resolves its columns when asked for them
        return False
    arrays = any(hasattr(given, name) for name in ("shape", "__array__", "dtype", "columns", "__dataframe__"))
    return (
        hasattr(given, "__iter__")
        and not arrays
        and not isinstance(given, (list, tuple, str, bytes, dict, set))
    )

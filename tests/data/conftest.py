"""Writers of tables for the tests of this folder."""

import pyarrow as pa
import pytest
from pyarrow import parquet


@pytest.fixture
def write(tmp_path):
    """Writes a table of text."""

    def write(content, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def arrow(tmp_path):
    """Writes columns to a Parquet file."""

    def arrow(columns, name="t.parquet"):
        parquet.write_table(pa.table(columns), tmp_path / name)
        return tmp_path / name

    return arrow

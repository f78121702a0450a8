"""Rows that are shuffled onto the disk: each occurs exactly once, and their order is random."""

import subprocess
import sys
import threading
from concurrent.futures import Future

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from gmvae.config import TrainingConfig
from gmvae.data import shuffled
from gmvae.data.dataset import scaled
from gmvae.data.files.base import Block
from gmvae.data.files.open import open_source
from gmvae.data.iterables import is_stream
from gmvae.data.prepare import prepare
from gmvae.data.schema import ReadOptions, Schema
from gmvae.data.shuffled import ShuffledRows, shuffle, windowed
from gmvae.data.stream import prepare_stream
from gmvae.data.streamed import Streamed
from gmvae.training.passes import WindowedBatches, one_pass

CPU = torch.device("cpu")


@pytest.fixture
def small_windows(monkeypatch):
    monkeypatch.setattr(shuffled, "WINDOW", 1 << 10)


def numbered(rows=1000):
    """Blocks in which each row holds its own number, with a second array that holds it too."""
    y = np.arange(rows * 4, dtype=np.float32).reshape(rows, 4)
    return [(y[i : i + 70], np.arange(rows)[i : i + 70, None].astype(np.int32)) for i in range(0, rows, 70)]


def test_every_row_is_there_once_with_its_label(tmp_path, small_windows):
    rows, labels = shuffle(iter(numbered()), tmp_path, 20_000, seed=3)
    assert rows.shape == (1000, 4)
    found, numbers = rows[:], labels[:][:, 0]
    assert sorted(numbers) == list(range(1000))
    np.testing.assert_array_equal(found[:, 0], 4 * numbers)
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("seed", range(4))
def test_the_order_is_random_whatever_the_order_of_the_stream(tmp_path, small_windows, seed):
    numbers = shuffle(iter(numbered()), tmp_path, 20_000, seed)[1][:][:, 0]
    # the rank correlation of 1,000 rows in random order has a standard deviation of 0.032
    assert abs(np.corrcoef(numbers, np.arange(1000))[0, 1]) < 0.13
    assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 0.13


def test_the_order_depends_only_on_the_seed(tmp_path):
    a, b, c = (
        shuffle(iter(numbered()), tmp_path / str(i), 1000, seed)[0][:] for i, seed in enumerate((1, 1, 2))
    )
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


def test_rows_are_read_as_an_array_is(tmp_path, small_windows):
    shuffle(iter(numbered()), tmp_path, 20_000, seed=0)
    rows = ShuffledRows(tmp_path / "0.rows", 4, np.float32)
    whole = np.fromfile(tmp_path / "0.rows", np.float32).reshape(-1, 4)
    assert rows.window < 100
    for numbers in ([5, 3, 5], [0, 999, 500, 250], list(range(60, 70))):
        np.testing.assert_array_equal(rows[np.array(numbers)], whole[numbers])
    np.testing.assert_array_equal(rows[10:20], whole[10:20])


def test_many_pieces_are_written_with_few_open_files(tmp_path):
    """In a process of its own that may open 20 files; there are 256 pieces, and two files for each."""
    program = (
        "import resource, sys; from pathlib import Path; import numpy as np; "
        "from gmvae.data import shuffled; resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20)); "
        "shuffled.WINDOW = 1 << 10; "
        "numbers = np.arange(1000)[:, None]; blocks = zip(numbers.reshape(10, 100, 1), "
        "numbers.astype(np.int32).reshape(10, 100, 1)); "
        "rows, others = shuffled.shuffle(blocks, Path(sys.argv[1]), 1 << 19, 0); "
        "assert (rows[:] == others[:]).all(); assert sorted(rows[:][:, 0]) == list(range(1000))"
    )
    said = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True)
    assert not said.returncode, said.stderr


def test_a_full_disk_is_reported(tmp_path):
    with pytest.raises(ValueError, match="GiB of free disk, and the shuffled rows need"):
        shuffle(iter(numbered()), tmp_path, 1 << 60, seed=0)


def test_a_windowed_order_has_each_number_once():
    found = np.concatenate(list(windowed(1003, 100, seed=1)))
    assert sorted(found) == list(range(1003))
    assert (found != np.concatenate(list(windowed(1003, 100, seed=2)))).any()


class Positions:
    """Observations that are their own positions, in windows of 64."""

    window, device = 64, CPU

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def gather(self, positions):
        found = Future()
        found.set_result(torch.from_numpy(positions))
        return found


@pytest.mark.parametrize(("count", "limit"), [(1000, 0), (1001, 0), (1000, 300), (5, 0)])
def test_a_pass_can_continue_in_the_middle(count, limit):
    def order():
        return WindowedBatches(Positions(count), 20, limit, torch.Generator().manual_seed(7))

    batches = [batch for _, batch in order().after(0)]
    assert len(batches) == len(order())
    assert len(torch.cat(batches)) == len(torch.cat(batches).unique()) == (limit or count)
    assert min(map(len, batches)) > 1
    for done in (0, 1, len(batches) - 1, len(batches)):
        rest = [batch for _, batch in order().after(done)]
        assert len(rest) == len(batches) - done
        assert all(torch.equal(a, b) for a, b in zip(rest, batches[done:], strict=True))


@pytest.mark.parametrize(("dtype", "shape"), [(np.float32, (4,)), (np.uint8, (1, 2, 2))])
@pytest.mark.parametrize(("first", "limit", "done"), [(0, 0, 0), (7, 0, 3), (0, 300, 1), (0, 301, 14)])
def test_a_pass_has_the_rows_at_its_positions_bit_for_bit(
    tmp_path, small_windows, dtype, shape, first, limit, done
):
    y = np.random.default_rng(0).normal(size=(1000, 4)) * 1e3
    y.astype(dtype).tofile(tmp_path / "0.rows")
    rows = Streamed(ShuffledRows(tmp_path / "0.rows", 4, dtype), shape, CPU, first)
    config, every_third = TrainingConfig(batch_size=20, epoch_size=limit), slice(1, None, 3)
    found, _, _ = one_pass(
        rows, config, torch.Generator().manual_seed(7), lambda batch: batch[every_third], done
    )
    places = Positions(len(rows))
    places.window = rows.window
    order = WindowedBatches(places, 20, limit, torch.Generator().manual_seed(7)).after(done)
    for (size, batch), (whole, positions) in zip(found, order, strict=True):
        expected = rows[positions[every_third]]
        assert size == whole == len(positions)
        assert torch.equal(scaled(batch), expected)
        assert batch.stride() == expected.stride()


def test_the_next_window_is_read_while_the_current_one_is_used(tmp_path, small_windows, monkeypatch):
    shuffle(iter(numbered()), tmp_path, 20_000, seed=0)
    rows = Streamed(ShuffledRows(tmp_path / "0.rows", 4, np.float32), (4,), CPU)
    started, read = [threading.Event() for _ in range(3)], ShuffledRows._read
    order = iter(started)

    def noted(self, start, stop):
        next(order).set()
        return read(self, start, stop)

    monkeypatch.setattr(ShuffledRows, "_read", noted)
    batches = WindowedBatches(rows, 20, 3 * rows.window, torch.Generator().manual_seed(0)).after(0)
    next(batches)
    assert started[1].wait(30)  # and not only when its first row is needed
    assert not started[2].is_set()


def test_a_file_of_rows_that_has_become_shorter_is_reported(tmp_path, small_windows):
    shuffle(iter(numbered()), tmp_path, 20_000, seed=0)
    rows = Streamed(ShuffledRows(tmp_path / "0.rows", 4, np.float32), (4,), CPU)
    (tmp_path / "0.rows").write_bytes(b"")
    with pytest.raises(ValueError, match="is shorter than it was: shuffle the data again"):
        list(WindowedBatches(rows, 20, 0, torch.Generator().manual_seed(0)).after(0))


def table(rows=3000):
    y = np.random.default_rng(0).normal(size=(rows, 3)) * [1.0, 1000.0, 0.01] + [0.0, 1e6, -1.0]
    return y, np.arange(rows) // (rows // 3)


def test_a_stream_has_the_scaling_and_the_values_of_the_same_rows_in_memory(tmp_path, small_windows):
    y, labels = table()

    def blocks():
        return (Block(y[i : i + 500], labels=labels[i : i + 500]) for i in range(0, 3000, 500))

    data, found = prepare_stream(blocks, Schema((3,)), tmp_path, device=CPU, name="X")
    known = prepare(y, device=CPU)
    np.testing.assert_allclose(found.scaling.mean, known.scaling.mean, rtol=1e-12)
    np.testing.assert_allclose(found.scaling.scale, known.scaling.scale, rtol=1e-9)
    assert (found.likelihood, len(found.rows)) == (known.likelihood, len(known.rows))
    ours, theirs = (np.sort(rows[torch.arange(3000)].numpy(), 0) for rows in (found.rows, known.rows))
    np.testing.assert_allclose(ours, theirs, atol=2e-6)
    # the sampled rows are in the units of the data, with their own labels
    number = {row.tobytes(): label for row, label in zip(np.float32(y), labels, strict=True)}
    matched = [number.get(row.tobytes()) for row in np.float32(data.y)]
    assert np.mean([m == label for m, label in zip(matched, data.labels, strict=True) if m is not None]) == 1
    assert data.rows == 3000


@pytest.mark.parametrize("kind", [np.float64, np.uint8])
def test_a_sample_has_distinct_rows_in_the_order_and_with_the_weights_that_they_have_in_memory(
    tmp_path, kind
):
    rng = np.random.default_rng(0)
    rows = np.unique(rng.integers(0, 200, size=(300, 3)), axis=0).astype(kind)
    copies = rng.integers(1, 5, size=len(rows))
    y = np.repeat(rows, copies, 0)
    streamed = prepare_stream(lambda: iter([Block(y)]), Schema((3,)), tmp_path, device=CPU, name="X")[1]
    found, expected = (one.rows.sample(1000) for one in (streamed, prepare(y, device=CPU)))
    assert len(streamed.rows) == len(y)
    assert len(found.order) == len(rows)
    torch.testing.assert_close(found.tensor(), expected.tensor())
    np.testing.assert_array_equal(found.weights, expected.weights)


def test_a_glob_and_an_address_are_read_as_the_files_are(tmp_path):
    import fsspec

    memory = fsspec.filesystem("memory")
    for i in range(3):
        part = pa.table({"a": [1.0 * i, 2.0], "b": [3.0, 4.0 + i]})
        parquet.write_table(part, tmp_path / f"part-{i}.parquet")
        with memory.open(f"/gmvae-test/part-{i}.parquet", "wb") as file:
            parquet.write_table(part, file)
    wanted = [[0, 3], [2, 4], [1, 3], [2, 5], [2, 3], [2, 6]]
    for path in (tmp_path / "part-*.parquet", "memory://gmvae-test", "memory://gmvae-test/part-*.parquet"):
        source = open_source(path)
        blocks = source.blocks(source.schema(ReadOptions()))
        assert np.concatenate([block.y for block in blocks]).tolist() == wanted
        assert source.count() == 6
    with pytest.raises(ValueError, match=r"memory://nothing has no \.parquet file"):
        open_source("memory://nothing")
    with pytest.raises(ValueError, match="matches 0 files"):
        open_source(tmp_path / "other-*.parquet")
    with pytest.raises(ValueError, match="cannot be opened: Protocol not known"):
        open_source("nonsense://x")


def test_a_link_to_no_file_in_a_folder_is_an_error(tmp_path):
    parquet.write_table(pa.table({"a": [1.0, 2.0]}), tmp_path / "0.parquet")
    (tmp_path / "1.parquet").symlink_to(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match="leads to no file"):
        open_source(tmp_path)


def test_a_glob_can_have_marks_in_the_names_of_folders(tmp_path):
    for i, folder in enumerate(("a", "b", "c/d")):
        (tmp_path / folder).mkdir(parents=True)
        parquet.write_table(pa.table({"a": [1.0 * i, 7.0]}), tmp_path / folder / f"part-{i}.parquet")
    parquet.write_table(pa.table({"a": [9.0]}), tmp_path / "a" / "other.parquet")
    for pattern, wanted in (("*/part-*.parquet", [0, 7, 1, 7]), ("**/part-?.parquet", [0, 7, 1, 7, 2, 7])):
        source = open_source(tmp_path / pattern)
        assert [y for block in source.blocks(source.schema(ReadOptions())) for y in block.y[:, 0]] == wanted
        assert source.reads(tmp_path / "c" / "part-9.parquet")  # it would, once it is written
        assert not source.reads(tmp_path / "c" / "other.parquet")
    assert not open_source(tmp_path / "*/part-*.parquet").reads(tmp_path / "c" / "d" / "part-9.parquet")
    with pytest.raises(ValueError, match="matches 0 files"):
        open_source(tmp_path / "*/x-*.parquet")


def test_torch_datasets_and_iterables_are_streams():
    y = torch.arange(12.0).reshape(6, 2)
    assert all(map(is_stream, (torch.utils.data.TensorDataset(y), iter([y]))))
    assert not any(map(is_stream, (y, y.numpy(), y.tolist(), pa.table({"a": [1]}))))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_estimator_finds_in_batches_sorted_by_class_what_it_finds_in_memory(seed):
    from sklearn.metrics import adjusted_rand_score
    from small_fits import taught, three_blobs

    y, labels = three_blobs()
    dataset = torch.utils.data.TensorDataset(torch.from_numpy(y), torch.from_numpy(labels))
    model = taught(epochs=12, random_state=seed).fit(dataset)
    assert adjusted_rand_score(labels, model.predict(y)) > 0.95
    assert not hasattr(model, "labels_")  # they would be in the order of the disk
    with pytest.raises(ValueError, match="X comes in batches, and sample_weight is given"):
        taught().fit(dataset, sample_weight=np.ones(len(y)))

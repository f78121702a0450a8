"""Folders of pictures compared with Pillow and arithmetic."""

import os

import numpy as np
import pytest
from PIL import Image
from written import features

from gmvae.data.files import base as module
from gmvae.data.files.open import open_source
from gmvae.data.schema import ReadOptions

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (6, 5, 4), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (5, 4, 3), dtype=np.uint8)


def complaint(path, options=None, schema=None):
    with pytest.raises(ValueError, match=r"\S") as error:
        features(path, options, schema)
    assert "\n" not in str(error.value)
    return str(error.value).replace(f"{path}{os.sep}", "").replace(str(path), path.name)


@pytest.fixture
def folder(tmp_path):
    """Six grey pictures in two folders."""
    for number, values in enumerate(GREY):
        kind = tmp_path / "pictures" / f"k{number % 2}"
        kind.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(kind / f"{number}.{'PNG' if number else 'bmp'}")
    return tmp_path / "pictures"


ORDER = [0, 2, 4, 1, 3, 5]


def test_pictures_are_bytes_in_the_order_of_their_paths(folder, monkeypatch):
    monkeypatch.setattr(module, "NUMBERS", 45)
    (folder / ".hidden.png").write_bytes(b"x")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "x.png").write_bytes(b"x")
    (folder / "notes.md").write_text("x")
    y, ids, labels = features(folder, ReadOptions(label_column="folder"))
    assert y.dtype == np.uint8
    np.testing.assert_array_equal(y[:, 0], GREY[ORDER])
    assert ids == [f"k{i % 2}/{i}.{'PNG' if i else 'bmp'}" for i in ORDER]
    assert labels == ["k0"] * 3 + ["k1"] * 3
    source = open_source(folder)
    assert [len(block.y) for block in source.blocks(source.schema(ReadOptions()))] == [2, 2, 2]


def test_one_colour_picture_makes_all_of_them_colour(folder):
    Image.fromarray(COLOUR).save(folder / "z.png")
    y, *_ = features(folder)
    np.testing.assert_array_equal(y[:6], np.repeat(GREY[ORDER][:, None], 3, axis=1))
    np.testing.assert_array_equal(y[6], COLOUR.transpose(2, 0, 1))
    y, *_ = features(folder, ReadOptions(grey=True))
    np.testing.assert_array_equal(y[:6, 0], GREY[ORDER])
    np.testing.assert_allclose(y[6, 0], COLOUR @ [0.299, 0.587, 0.114], atol=0.51)


def one(path, options=None):
    """The levels of the only picture in a folder."""
    return features(path, options)[0][0]


def test_deep_pictures_have_one_scale(tmp_path):
    dark = np.array([[0, 100, 257], [514, 128, 129]], dtype=np.uint16)
    Image.fromarray(dark).save(tmp_path / "t.png")
    np.testing.assert_array_equal(one(tmp_path)[0], [[0, 0, 1], [2, 0, 1]])
    Image.fromarray(dark * 127).save(tmp_path / "t.png")
    np.testing.assert_array_equal(one(tmp_path)[0], np.rint(dark * 127 / 65535 * 255))
    (tmp_path / "t.png").unlink()
    Image.fromarray(dark.astype(np.int32)).save(tmp_path / "t.tif")
    np.testing.assert_array_equal(one(tmp_path)[0], [[0, 0, 1], [2, 0, 1]])
    for values, said in (
        (dark.astype(np.int32) * 10000, "its pixels go from 0 to 5140000, so save it with 8 or 16 bits"),
        (dark.astype(np.float32), "its pixels are fractions, so save it with 8 or 16 bits"),
    ):
        Image.fromarray(values).save(tmp_path / "t.tif")
        assert complaint(tmp_path) == f"t.tif cannot be read as a picture: {said}"


def test_what_is_transparent_is_white(tmp_path):
    alpha = RNG.integers(0, 256, (5, 4, 1), dtype=np.uint8)
    Image.fromarray(np.concatenate([COLOUR, alpha], 2)).save(tmp_path / "t.png")
    share = alpha / 255
    np.testing.assert_allclose(one(tmp_path).transpose(1, 2, 0), COLOUR * share + 255 * (1 - share), atol=1)
    Image.fromarray(np.stack([GREY[0], alpha[..., 0]], 2), "LA").save(tmp_path / "t.png")
    y = one(tmp_path)
    assert y.shape == (1, 5, 4)
    np.testing.assert_allclose(y[0], GREY[0] * share[..., 0] + 255 * (1 - share[..., 0]), atol=1)


def test_palettes_are_colours_and_bits_are_grey(tmp_path):
    palette = Image.fromarray(np.arange(20, dtype=np.uint8).reshape(5, 4), "P")
    palette.putpalette(COLOUR.reshape(-1).tolist())
    palette.save(tmp_path / "t.png")
    np.testing.assert_array_equal(one(tmp_path), COLOUR.transpose(2, 0, 1))
    Image.fromarray(GREY[0] > 99).save(tmp_path / "t.png")
    np.testing.assert_array_equal(one(tmp_path)[0], 255 * (GREY[0] > 99))


@pytest.mark.parametrize("kind", ["png", "tif", "webp"])
def test_pictures_that_lie_on_their_side_are_turned(tmp_path, kind):
    image = Image.fromarray(GREY[0])
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / f"t.{kind}", exif=exif, **({"lossless": True} if kind == "webp" else {}))
    np.testing.assert_array_equal(one(tmp_path, ReadOptions(grey=True))[0], np.rot90(GREY[0], -1))


def test_sizes_must_be_equal_or_are_made_equal(folder):
    large = Image.fromarray(COLOUR).resize((9, 8))
    large.save(folder / "z.png")
    assert complaint(folder) == (
        "z.png has 8x9 pixels, k0/0.bmp has 5x4 pixels: they must have the same size, so resize them with "
        "--image-size 32, for example"
    )
    y, *_ = features(folder, ReadOptions(image_size=6))
    expected = large.resize((6, 6), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(y[6].transpose(1, 2, 0), expected)


def test_a_new_folder_is_read_as_the_training_folder(folder, tmp_path):
    plain, resized = (open_source(folder).schema(ReadOptions(image_size=size)) for size in (0, 7))
    new = tmp_path / "new"
    new.mkdir()
    image = Image.fromarray(COLOUR)
    image.save(new / "t.png")
    np.testing.assert_array_equal(features(new, schema=plain)[0][0, 0], image.convert("L"))
    expected = image.convert("L").resize((7, 7), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(features(new, schema=resized)[0][0, 0], expected)
    image.resize((3, 2)).save(new / "t.png")
    assert "t.png has 2x3 pixels, and the model was trained on 5x4 pixels: resize it" in complaint(
        new, None, plain
    )
    np.save(tmp_path / "t.npy", np.ones((4, 3)))
    schema = open_source(tmp_path / "t.npy").schema(ReadOptions())
    assert "is a folder of pictures: the model was trained on observations of shape (3,)" in complaint(
        new, None, schema
    )


def test_files_that_are_no_pictures_are_named(folder, monkeypatch):
    whole = (folder / "k1" / "1.PNG").read_bytes()
    for damaged in (whole[:60], b"nothing", b"", whole[:50] + b"xx" + whole[52:]):
        (folder / "z.png").write_bytes(damaged)
        assert complaint(folder).startswith("z.png cannot be read as a picture: ")
    (folder / "z.png").write_bytes(whole)
    for pixels in (5, 15):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pixels)
        assert "cannot be read as a picture: Image size (20 pixels) exceeds limit" in complaint(folder)


def test_empty_folders_are_named(folder, tmp_path):
    (tmp_path / "none").mkdir()
    assert "none has neither pictures (.png, .jpg" in complaint(tmp_path / "none")
    for options in (
        ReadOptions(columns=("a",)),
        ReadOptions(drop=("a",)),
        ReadOptions(id_column="a"),
        ReadOptions(label_column="a"),
    ):
        assert "folder of pictures, which have no columns: only --label-column folder" in complaint(
            folder, options
        )
    assert "image_size is -1: it must be a number of pixels, or 0" in complaint(
        folder, ReadOptions(image_size=-1)
    )

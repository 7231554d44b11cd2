"""Model: features and embeddings as arrays, from every kind of image."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import interrogate_clip as ic
from interrogate_clip import errors


def test_every_kind_of_image_gives_the_same_features(model: ic.Model, cat: Path) -> None:
    picture = Image.open(cat)
    kinds = [str(cat), cat, cat.read_bytes(), picture, np.asarray(picture.convert("RGB"))]
    rows = model.embed_images(kinds)
    assert rows.shape == (5, 384) and rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    # The decoder and PIL may differ in the last bits of a JPEG's colors.
    assert np.array_equal(rows[0], rows[1]) and np.array_equal(rows[0], rows[2])
    assert np.array_equal(rows[3], rows[4])
    assert np.abs(rows[0] - rows[3]).max() < 0.02


def test_one_value_gives_one_row(model: ic.Model, cat: Path) -> None:
    assert model.embed_images(cat).shape == (384,)
    assert model.embed_images([cat]).shape == (1, 384)
    assert model.embed_images([]).shape == (0, 384)
    assert model.embed_texts("a cat").shape == (384,)
    assert model.embed_texts(["a cat", "a dog"]).shape == (2, 384)
    assert model.embed_texts([]).shape == (0, 384)
    assert model.count_tokens("a cat") == model.count_tokens(["a cat"])[0]


def test_rows_do_not_depend_on_the_batch(model: ic.Model, photos: list[Path]) -> None:
    together = model.embed_images(photos)
    alone = model.embed_images(photos, batch_size=1)
    assert np.array_equal(together, alone)
    stacked = np.stack([np.asarray(Image.open(p).convert("RGB").resize((64, 48))) for p in photos])
    assert model.embed_images(stacked).shape == (len(photos), 384)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 3), np.float32), "found float32 (4, 4, 3)"),
        (np.zeros((4, 4), np.uint8), "found uint8 (4, 4)"),
        (np.zeros((4, 4, 4), np.uint8), "found uint8 (4, 4, 4)"),
        (np.zeros((0, 4, 3), np.uint8), "0"),
        (b"not an image", "<bytes>"),
        (b"", "<bytes>"),
        ([3], "int: not an image"),
        (3, "int: not an image"),
        ([None], "NoneType: not an image"),
    ],
)
def test_invalid_image_is_refused(model: ic.Model, image: object, message: str) -> None:
    with pytest.raises(errors.ImageError) as raised:
        model.embed_images(image)
    assert message in raised.value.message
    assert isinstance(raised.value, ValueError)


def test_missing_file_is_an_os_error(model: ic.Model) -> None:
    with pytest.raises(OSError, match="gone.jpg") as raised:
        model.embed_images("gone.jpg")
    assert isinstance(raised.value, errors.FileError)


def test_non_contiguous_array_is_read(model: ic.Model, cat: Path) -> None:
    pixels = np.asarray(Image.open(cat).convert("RGB"))
    assert np.array_equal(
        model.embed_images(pixels[:, ::-1]), model.embed_images(pixels[:, ::-1].copy())
    )


def test_unknown_names_have_a_hint() -> None:
    with pytest.raises(errors.ModelError) as raised:
        ic.Model.open("no-such-model")
    assert raised.value.hint and raised.value.hint in str(raised.value)
    with pytest.raises(errors.DeviceError):
        ic.Model.open("starter", device="gpu")
    with pytest.raises(errors.DeviceError, match="cuda"):
        ic.Model.open("starter", device="cuda:7")
    with pytest.raises(errors.ModelError, match="no-such-captioner"):
        ic.Captioner.open("no-such-captioner")
    for error in vars(errors).values():
        if isinstance(error, type):
            assert issubclass(error, ic.InterrogateError)


def test_progress_is_reported(model: ic.Model, photos: list[Path]) -> None:
    calls: list[tuple[int, int]] = []
    model.embed_images(photos, batch_size=2, progress=lambda *call: calls.append(call))
    assert calls[-1] == (len(photos), len(photos)) and calls[0] == (2, len(photos))
    with pytest.raises(ic.InterrogateError, match="progress"):
        model.embed_images(photos, progress="yes")  # type: ignore[arg-type]


def test_exception_of_a_callback_ends_the_work(model: ic.Model, photos: list[Path]) -> None:
    def fail(done: int, total: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        model.embed_images(photos, batch_size=1, progress=fail)


def test_gil_is_released(model: ic.Model, photos: list[Path]) -> None:
    counted = [0]
    done = threading.Event()

    def count() -> None:
        while not done.is_set():
            counted[0] += 1
            time.sleep(0.001)

    counter = threading.Thread(target=count)
    counter.start()
    before = counted[0]
    model.embed_images(photos * 4)
    during = counted[0] - before
    done.set()
    counter.join()
    assert during > 3


def test_ctrl_c_interrupts(model: ic.Model, photos: list[Path]) -> None:
    # A background job starts with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    calls = []

    def interrupt(done: int, total: int) -> None:
        calls.append(done)
        if len(calls) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        model.embed_images(photos * 10, batch_size=1, progress=interrupt)
    assert len(calls) < 10 * len(photos)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_fork_is_refused_with_advice(model: ic.Model, cat: Path) -> None:
    model.embed_images(cat)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            model.embed_images(cat)
            os.write(writer, b"no error")
        except errors.ForkError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    said = io.FileIO(reader).read().decode()
    os.waitpid(child, 0)
    assert "forked" in said and "spawn" in said

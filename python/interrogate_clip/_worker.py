"""A worker of a cluster: opens models once in its process, and turns images into columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from ._native import Captioner, Index, Interrogator, Model, set_num_threads
from ._settings import Settings
from .errors import (
    ArgumentError,
    FeaturesError,
    FileError,
    ImageError,
    InterrogateError,
)

T = TypeVar("T")

IMAGE_ERRORS = (ImageError, FileError, FeaturesError)
"""What one image can cause. Other errors, such as a device out of memory, end the batch."""

_threads: int | None = None
_opened: Worker | None = None


def opened(settings: Settings, threads: int) -> Worker:
    """Returns this process's worker for `settings`, opened at the first call.

    The first call sets the number of threads. The last settings' worker is kept, so that a
    process that gets tasks of one job after another opens models once per job.
    """
    global _threads, _opened
    if _threads is None:
        set_num_threads(threads)
        _threads = threads
    if _opened is None or _opened.settings != settings:
        _opened = None  # frees the models of another job before the next ones are read
        _opened = Worker(settings)
    return _opened


class Worker:
    """Opened models, which compute the columns of `settings.outputs` for images."""

    def __init__(self, settings: Settings) -> None:
        """Opens and reads everything, so that what is missing fails here and not at an image."""
        self.settings = settings
        outputs = settings.names
        self._model: Model | None = None
        self._interrogator: Interrogator | None = None
        self._captioner: Captioner | None = None
        gray = np.full((16, 16, 3), 128, np.uint8)
        if settings.captioner is not None:
            self._captioner = Captioner.open(
                settings.captioner,
                device=settings.device,
                precision=settings.captioner_precision,
                cache_folder=settings.cache_folder,
            )
            self._captions([gray])
        if "prompt" in outputs or "features" in outputs:
            self._model = Model.open(
                settings.model,
                device=settings.device,
                precision=settings.precision,
                cache_folder=settings.cache_folder,
            )
            self._features([gray])
        if "prompt" in outputs and self._model is not None and settings.index is not None:
            index = Index.open(settings.index, device=settings.device)
            self._interrogator = Interrogator(self._model, index)
            self._interrogator.prompt([], **settings.prompt_options)

    def columns(self, images: Sequence[object]) -> dict[str, list[Any]]:
        """Returns the new columns by their names: a value for each image, in their order.

        An image that cannot be read has None in every column, and in `error` the reason.
        """
        prepared = [_image(image) for image in images]
        features: list[Any] = [None] * len(images)
        captions: list[str | None] = [None] * len(images)
        errors: list[str | None] = [None] * len(images)
        if self._model is not None:
            self._fill(features, errors, prepared, self._features)
        if self._captioner is not None:
            self._fill(captions, errors, prepared, self._captions)
        # An image that the captioner refuses has no features either.
        found = [features[n] if error is None else None for n, error in enumerate(errors)]
        values = {"caption": captions, "features": found, "error": errors}
        if self._interrogator is not None:
            values["prompt"] = self._prompts(found, captions)
        return {name: values[output] for output, name in self.settings.names.items()}

    def _fill(
        self,
        results: list[Any],
        errors: list[str | None],
        images: Sequence[object],
        compute: Callable[[list[object]], Sequence[Any]],
    ) -> None:
        """Computes the results of the images that have no error yet."""
        size = self.settings.batch_size
        rows = [row for row, error in enumerate(errors) if error is None]
        for start in range(0, len(rows), size):
            batch = rows[start : start + size]
            each = _each([images[row] for row in batch], compute)
            for row, result in zip(batch, each, strict=True):
                if isinstance(result, IMAGE_ERRORS):
                    errors[row] = result.message
                else:
                    results[row] = result

    def _features(self, images: list[object]) -> Sequence[Any]:
        assert self._model is not None
        return list(self._model.embed_images(images, batch_size=len(images)))

    def _captions(self, images: list[object]) -> Sequence[Any]:
        assert self._captioner is not None
        options = self.settings.caption_options
        captions: Sequence[Any] = self._captioner.caption(images, **options)
        return captions

    def _prompts(self, features: list[Any], captions: list[str | None]) -> list[str | None]:
        """Returns the prompts of all images at once, since rankings share their scan."""
        assert self._interrogator is not None
        rows = [row for row, found in enumerate(features) if found is not None]
        prompts: list[str | None] = [None] * len(features)
        if rows:
            written = self._interrogator.prompt(
                features=np.stack([features[row] for row in rows]),
                caption=[captions[row] for row in rows],
                **self.settings.prompt_options,
            )
            for row, prompt in zip(rows, written, strict=True):
                prompts[row] = str(prompt)
        return prompts


def _each(
    images: list[object], compute: Callable[[list[object]], Sequence[T]]
) -> Iterator[T | InterrogateError]:
    """Computes the results of all images, and returns an error in place of those that cannot be
    read. All images are read before anything is computed, so halves cost little."""
    try:
        yield from compute(images)
    except IMAGE_ERRORS as error:
        if len(images) == 1:
            yield error
            return
        half = len(images) // 2
        yield from _each(images[:half], compute)
        yield from _each(images[half:], compute)


def _image(value: object) -> object:
    """Returns the value of a cell as what `Model.embed_images` takes."""
    if isinstance(value, Mapping) and ("bytes" in value or "path" in value):
        # A cell of a data set in Hugging Face's layout.
        found = value.get("bytes")
        value = value.get("path") if found is None else found
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    return None if isinstance(value, float) else value  # pandas' NaN stands for a missing value


def require(package: str, module: str, install: str) -> None:
    """Fails with the command that installs `package` if it is missing."""
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise ArgumentError(f"{module} needs {package}", f"pip install '{install}'")

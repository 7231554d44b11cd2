"""The classes of the Rust library."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias, final, overload

import numpy as np
import numpy.typing as npt

from ._results import Prompt, Ranking

__all__ = [
    "Captioner",
    "Index",
    "Interrogator",
    "Model",
    "Table",
    "__version__",
    "build_index",
    "builtin_dictionaries",
    "captioner_names",
    "disable_mmap",
    "model_names",
    "set_num_threads",
]

__version__: str

_Path: TypeAlias = str | os.PathLike[str]
_Progress: TypeAlias = Callable[[int, int], object] | bool | None

_Image: TypeAlias = Any
"""A path, the bytes of an image file, a PIL image, or a uint8 array (height, width, 3)."""

_Mode: TypeAlias = Literal["seed", "classic", "fast", "best", "negative", "caption"]

@final
class Model:
    """A model: an image encoder and a text encoder, loaded when they are first used."""

    @staticmethod
    def open(
        name: str = "starter",
        *,
        device: str = "auto",
        precision: str | None = None,
        text_cleaning: str = "auto",
        cache_folder: _Path | None = None,
        progress: _Progress = None,
    ) -> Model:
        """Opens the model `name`: "starter", a checkpoint folder, a hub id (owner/name), or a
        name of open_clip (ViT-L-14/openai). Files that are missing from the cache of Hugging
        Face's libraries are downloaded.

        `device` is cpu, cuda, cuda:N, metal, or auto; `precision` is f32, f16 or bf16.
        """

    @property
    def name(self) -> str:
        """The model's name, which opens it again."""

    @property
    def device(self) -> str:
        """The device that it computes on."""

    @property
    def precision(self) -> str:
        """The precision that it computes in."""

    @property
    def notice(self) -> str | None:
        """A sentence for users of this model, if there is one."""

    @property
    def context_length(self) -> int:
        """The maximum number of tokens of a text, special tokens included."""

    def fingerprint(self) -> str:
        """Returns the SHA-256 of weights, tokenizer and configuration. Reads all weights."""

    def embed_images(
        self, images: _Image | Iterable[_Image], *, batch_size: int = 16, progress: _Progress = None
    ) -> npt.NDArray[np.float32]:
        """Returns the features of images: (images, dim) rows of unit length, or (dim) for one.

        Images are decoded and computed on all cores, `batch_size` at a time.
        """

    def embed_texts(
        self, texts: str | Iterable[str], *, progress: _Progress = None
    ) -> npt.NDArray[np.float32]:
        """Returns the embeddings of texts: (texts, dim) rows of unit length, or (dim) for one."""

    @overload
    def count_tokens(self, texts: str) -> int: ...  # type: ignore[overload-overlap]
    @overload
    def count_tokens(self, texts: Iterable[str]) -> list[int]:
        """Returns the number of tokens of texts, special tokens included."""

    def chain(
        self,
        features: npt.ArrayLike,
        phrases: list[str],
        start: str = "",
        score: float | None = None,
        *,
        min_count: int = 8,
        max_count: int = 32,
        reverse: bool = False,
        exceed: bool = False,
        progress: _Progress = None,
    ) -> tuple[str, float]:
        """Grows the prompt `start` by the phrase that raises its score most, step by step, while
        the score rises, and returns the best prompt and its score. `start` defaults to the phrase
        that fits best. With `reverse` the score falls. `exceed` lets the last phrase exceed the
        model's context, as clip-interrogator does."""

@final
class Table:
    """The labels and rows of one table, of an index or of your own labels."""

    @staticmethod
    def encode(
        name: str, labels: list[str], model: Model, *, progress: _Progress = None
    ) -> Table:
        """Embeds `labels` with `model`. Rows are rounded to f16, as those of an index."""

    @property
    def name(self) -> str:
        """The table's name."""

    @property
    def dim(self) -> int:
        """The number of values in a row."""

    @property
    def labels(self) -> list[str]:
        """All labels, in the order of the rows."""

    @property
    def rows(self) -> npt.NDArray[np.float16]:
        """The rows (labels, dim). Of a table in one shard, a read-only map of its file; of
        several shards, a copy."""

    @property
    def shards(self) -> list[npt.NDArray[np.float16]]:
        """The rows of each shard (rows, dim): read-only maps of its file."""

    def label(self, row: int) -> str:
        """Returns the label of `row`."""

    def rank(
        self,
        features: npt.ArrayLike,
        k: int = 10,
        *,
        reverse: bool = False,
        quota: int | None = None,
    ) -> Ranking:
        """Ranks the labels for features (images, dim) or (dim), as `Index.rank` does. With
        `quota`, ranks by quota in chunks of so many rows, which is not exact: this is how
        clip-interrogator ranks."""

    def __len__(self) -> int: ...

@final
class Index:
    """An index: tables of labels, each with the row that the model computed for it."""

    @staticmethod
    def open(folder: _Path, *, device: str = "auto") -> Index:
        """Opens the index in `folder`, which `build_index` or the programs wrote. Maps its files
        and reads no row. `device` ranks its tables."""

    @property
    def folder(self) -> Path:
        """The index's folder."""

    @property
    def dim(self) -> int:
        """The number of values in a row."""

    @property
    def model_name(self) -> str:
        """The name of the model that it was built with."""

    @property
    def tables(self) -> list[str]:
        """The names of the tables, sorted."""

    def rank(
        self,
        features: npt.ArrayLike,
        table: str | Iterable[str],
        k: int = 10,
        *,
        reverse: bool = False,
    ) -> Ranking:
        """Ranks the labels of a table, or of several tables as one, for features (images, dim)
        or (dim). Returns the `k` best labels, or with `reverse` the worst ones: exactly, as a
        full sort would, ties by row."""

    def verify(self) -> None:
        """Reads every byte and checks it."""

    def __getitem__(self, name: str, /) -> Table: ...
    def __contains__(self, name: str, /) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...

@final
class Captioner:
    """A caption model: BLIP, BLIP-2, GIT or Florence-2."""

    @staticmethod
    def open(
        name: str,
        *,
        device: str = "auto",
        precision: str | None = None,
        cache_folder: _Path | None = None,
        progress: _Progress = None,
    ) -> Captioner:
        """Opens the captioner `name`: a short name (`captioner_names()`), a folder or a hub id.

        `precision` is f32, f16, bf16 or q8.
        """

    @property
    def name(self) -> str:
        """The name that it was opened by."""

    @overload
    def caption(
        self,
        images: str | bytes | os.PathLike[str],
        *,
        batch_size: int = 8,
        progress: _Progress = None,
        **options: Any,
    ) -> str: ...
    @overload
    def caption(
        self,
        images: _Image | Iterable[_Image],
        *,
        batch_size: int = 8,
        progress: _Progress = None,
        **options: Any,
    ) -> Any:
        """Returns a caption, or a list of captions for several images.

        Options: num_beams, max_length, min_length, length_penalty, early_stopping (likely, full,
        never), repetition_penalty, no_repeat_ngram_size, temperature, top_p, seed, prefix, task
        (caption, detailed, more-detailed).
        """

@final
class Interrogator:
    """Writes prompts of images from a model, an index of it, and maybe a captioner."""

    def __new__(
        cls, model: Model, index: Index, captioner: Captioner | None = None
    ) -> Interrogator: ...
    @property
    def model(self) -> Model:
        """The model."""

    @property
    def index(self) -> Index:
        """The index."""

    @property
    def captioner(self) -> Captioner | None:
        """The captioner."""

    @overload
    def prompt(
        self,
        images: str | bytes | os.PathLike[str],
        mode: _Mode = "seed",
        *,
        caption: str | Iterable[str | None] | None = None,
        features: None = None,
        max_flavors: int | None = None,
        min_flavors: int | None = None,
        min_score: float | None = None,
        tables: list[str] | None = None,
        without: list[str] | None = None,
        lists: Mapping[str, list[str]] | None = None,
        deny: list[str] | None = None,
        prefix: str = "",
        suffix: str = "",
        max_tokens: int | None = None,
        template: str | None = None,
        candidates: int | None = None,
        chunk_size: int | None = None,
        compat: bool = False,
        batch_size: int = 16,
        progress: _Progress = None,
    ) -> Prompt: ...
    @overload
    def prompt(
        self,
        images: _Image | Iterable[_Image] | None = None,
        mode: _Mode = "seed",
        *,
        caption: str | Iterable[str | None] | None = None,
        features: npt.ArrayLike | None = None,
        max_flavors: int | None = None,
        min_flavors: int | None = None,
        min_score: float | None = None,
        tables: list[str] | None = None,
        without: list[str] | None = None,
        lists: Mapping[str, list[str]] | None = None,
        deny: list[str] | None = None,
        prefix: str = "",
        suffix: str = "",
        max_tokens: int | None = None,
        template: str | None = None,
        candidates: int | None = None,
        chunk_size: int | None = None,
        compat: bool = False,
        batch_size: int = 16,
        progress: _Progress = None,
    ) -> Any:
        """Returns a `Prompt`, which is a string, or a list of them for several images.

        Pass `features` of `Model.embed_images` to encode an image once for several prompts.
        `caption` is one caption, or one for each image; by default the captioner's, if there is
        one. `lists` are tables of your own: a name and its labels. `deny` leaves out labels that
        have one of these words, or match one of these regular expressions between slashes. The
        other options are those of `interrogate prompt`: docs/PROMPTS.md.
        """

def build_index(
    dictionaries: _Path | Iterable[_Path] | None,
    out: _Path,
    model: Model,
    *,
    progress: _Progress = None,
) -> Index:
    """Builds the index of dictionaries (text files, or folders of *.txt; None for the built-in
    ones) in a folder below `out` that is named after the model, and opens it.

    Rows of an earlier build are kept. An interrupted build continues when it is run again.
    """

def builtin_dictionaries() -> dict[str, str]:
    """Returns the texts of the built-in dictionaries, by file name: artists.txt, flavors.txt, ..."""

def model_names() -> list[str]:
    """Returns the names of open_clip's models that can be opened, and the starter's."""

def captioner_names() -> list[str]:
    """Returns the short names of captioners."""

def disable_mmap() -> None:
    """Reads files into memory from now on, instead of mapping them: slower, but safe if another
    program may truncate a file in use."""

def set_num_threads(count: int, /) -> None:
    """Lets this process compute on `count` threads: at first use, before any other work.

    By default there is one for each core, or RAYON_NUM_THREADS. The number cannot change after
    the first work.
    """

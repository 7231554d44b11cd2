"""`Interrogator`: prompts, captions and scores of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .._native import Captioner, Model
from ..errors import ArgumentError, CaptionError, FeaturesError
from ._bars import bar
from ._config import Config
from ._features import row
from ._index_cache import IndexCache
from ._label_table import LabelTable, _merge_tables
from ._lists import SITES, artist_labels, load_lists, trending_labels
from ._models import open_captioner, open_model
from ._prompt_length import _truncate_to_fit

_Features = npt.NDArray[np.float32]


class Interrogator:
    """Writes prompts as clip-interrogator 0.6.0 writes them.

    An image is a PIL image, a path, the bytes of an image file, or a uint8 array (height, width,
    3). Features are float32 arrays (1, dim).
    """

    artists: LabelTable
    flavors: LabelTable
    mediums: LabelTable
    movements: LabelTable
    negative: LabelTable
    trendings: LabelTable
    caption_model: Captioner | None
    clip_model: Model
    tokenize: Model
    """The model, which counts tokens. It returns no token numbers."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.load_caption_model()
        self.load_clip_model()

    def load_caption_model(self) -> None:
        """Opens the captioner of the configuration. Missing files are downloaded."""
        self.caption_model = open_captioner(self.config)

    def load_clip_model(self) -> None:
        """Opens the model of the configuration, and the tables' index, which is built if there is
        none in `cache_path`. Missing files are downloaded.
        """
        self.clip_model = self.tokenize = open_model(self.config)
        self.device = self.clip_model.device
        self.dtype = np.dtype(np.float16 if self.clip_model.precision == "f16" else np.float32)
        lines = load_lists(self.config.data_path)
        tables = {**lines, "artists": artist_labels(lines["artists"])}
        tables["trendings"] = trending_labels()
        files = {f"{name}.txt": labels for name, labels in {**lines, "sites": SITES}.items()}
        self._cache = IndexCache(self.config.cache_path, self.clip_model, quiet=self.config.quiet)
        self._cache.open(files, tables)
        for name, labels in tables.items():
            setattr(self, name, LabelTable(labels, name, self))

    def generate_caption(self, pil_image: Any) -> str:
        """Returns a caption of the image."""
        if self.caption_model is None:
            raise CaptionError(
                "no caption model is loaded", "pass caption=, or set Config.caption_model_name"
            )
        longest = self.config.caption_max_length
        captions = self.caption_model.caption([pil_image], max_length=longest, min_length=0)
        return str(captions[0]).strip()

    def image_to_features(self, image: Any) -> _Features:
        """Returns the features (1, dim) of the image, of unit length."""
        return self.clip_model.embed_images([image])

    def interrogate(
        self, image: Any, min_flavors: int = 8, max_flavors: int = 32, caption: str | None = None
    ) -> str:
        """Returns the prompt of the highest score: the caption, the prompts of
        `interrogate_classic` and `interrogate_fast`, or a chain that starts from the caption.
        """
        caption = caption or self.generate_caption(image)
        features = self.image_to_features(image)
        candidates = self._merged().rank(features, self.config.flavor_intermediate_count)
        chained = self.chain(
            features,
            candidates,
            caption,
            self.similarity(features, caption),
            min_count=min_flavors,
            max_count=max_flavors,
            desc="Flavor chain",
        )
        classic = self._classic(features, max_flavors, caption)
        fast = self._fast(features, max_flavors, caption)
        return self.rank_top(features, [caption, classic, fast, chained])

    def interrogate_classic(
        self, image: Any, max_flavors: int = 3, caption: str | None = None
    ) -> str:
        """Returns caption, medium, artist, trending, movement and flavors."""
        caption = caption or self.generate_caption(image)
        return self._classic(self.image_to_features(image), max_flavors, caption)

    def interrogate_fast(
        self, image: Any, max_flavors: int = 32, caption: str | None = None
    ) -> str:
        """Returns the caption, then the best labels of all tables together."""
        caption = caption or self.generate_caption(image)
        return self._fast(self.image_to_features(image), max_flavors, caption)

    def interrogate_negative(self, image: Any, max_flavors: int = 32) -> str:
        """Returns a chain of the flavors and negative labels that fit the image least."""
        features = self.image_to_features(image)
        worst = self.flavors.rank(features, self.config.flavor_intermediate_count, reverse=True)
        return self.chain(
            features,
            worst + self.negative.labels,
            max_count=max_flavors,
            desc="Negative chain",
            reverse=True,
        )

    def chain(
        self,
        image_features: Any,
        phrases: Sequence[str],
        best_prompt: str = "",
        best_sim: float = 0,
        min_count: int = 8,
        max_count: int = 32,
        desc: str = "Chaining",
        reverse: bool = False,
    ) -> str:
        """Grows `best_prompt`, whose score is `best_sim`, by the phrase that raises the score most,
        step by step, and returns the best prompt. With `reverse` the score falls.
        """
        features = row(image_features)
        phrases = list(dict.fromkeys(phrases))
        if not best_prompt:
            best_prompt = self.rank_top(features, phrases, reverse)
            best_sim = self.similarity(features, best_prompt)
            phrases.remove(best_prompt)
        # clip-interrogator does not negate the first score of a reversed chain.
        score = (-best_sim if reverse else best_sim) / (float(np.linalg.norm(features)) or 1.0)
        with bar(desc, "phrases", quiet=self.config.quiet) as progress:
            prompt, _ = self.clip_model.chain(
                features,
                phrases,
                best_prompt,
                score,
                min_count=min_count,
                max_count=max_count,
                reverse=reverse,
                exceed=True,
                progress=progress,
            )
        return prompt

    def rank_top(
        self, image_features: Any, text_array: Sequence[str], reverse: bool = False
    ) -> str:
        """Returns the text that fits the image best, or with `reverse` least."""
        if not text_array:
            raise ArgumentError("rank_top() needs at least one text", "pass a list of texts")
        scores = np.array(self.similarities(image_features, text_array))
        return text_array[int(np.argmin(scores) if reverse else np.argmax(scores))]

    def similarity(self, image_features: Any, text: str) -> float:
        """Returns the score of a text: the dot product of both embeddings."""
        return self.similarities(image_features, [text])[0]

    def similarities(self, image_features: Any, text_array: Sequence[str]) -> list[float]:
        """Returns the score of each text."""
        features = row(image_features)
        if not text_array:
            return []
        embeddings = self.clip_model.embed_texts(text_array)
        if embeddings.shape[1] != len(features):
            raise FeaturesError(
                f"features: expected {embeddings.shape[1]} values, found {len(features)}",
                "pass features of image_to_features()",
            )
        scores: list[float] = (embeddings @ features).tolist()
        return scores

    def _merged(self) -> LabelTable:
        tables = [self.artists, self.flavors, self.mediums, self.movements, self.trendings]
        return _merge_tables(tables, self)

    def _classic(self, features: _Features, max_flavors: int, caption: str) -> str:
        tables = [self.mediums, self.artists, self.trendings, self.movements]
        medium, artist, trending, movement = (table.rank(features, 1)[0] for table in tables)
        start = caption if caption.startswith(medium) else f"{caption}, {medium}"
        parts = [f"{start} {artist}", trending, movement]
        return self._fitted(parts, self.flavors.rank(features, max_flavors))

    def _fast(self, features: _Features, max_flavors: int, caption: str) -> str:
        return self._fitted([caption], self._merged().rank(features, max_flavors))

    def _fitted(self, parts: list[str], flavors: list[str]) -> str:
        # Without flavors the text ends with a comma, as in clip-interrogator.
        return _truncate_to_fit(", ".join([*parts, ", ".join(flavors)]), self.tokenize)

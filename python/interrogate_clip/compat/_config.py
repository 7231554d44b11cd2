"""`Config`, and the names that it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .. import _native

CAPTION_MODELS = {
    "blip-base": "Salesforce/blip-image-captioning-base",
    "blip-large": "Salesforce/blip-image-captioning-large",
    "blip2-2.7b": "Salesforce/blip2-opt-2.7b",
    "blip2-flan-t5-xl": "Salesforce/blip2-flan-t5-xl",
    "git-large-coco": "microsoft/git-large-coco",
}
"""Short names of captioners, and their repositories."""


@dataclass
class Config:
    """The settings of an `Interrogator`: fields and defaults of clip-interrogator 0.6.0."""

    # Attributes and not fields, as in clip-interrogator.
    caption_model = None  # type: Any
    """An `interrogate_clip.Captioner` to use instead of `caption_model_name`."""
    caption_processor = None  # type: Any
    """Not used."""
    clip_model = None  # type: Any
    """An `interrogate_clip.Model` to use instead of `clip_model_name`."""
    clip_preprocess = None  # type: Any
    """Not used."""

    caption_max_length: int = 32
    """The maximum number of tokens of a caption."""
    caption_model_name: str | None = "blip-large"
    """A short name (`list_caption_models()`, `captioner_names()`), a folder, a hub id, or None."""
    caption_offload: bool = False
    """Not used: weights are mapped from their files."""

    clip_model_name: str = "ViT-L-14/openai"
    """A name of `list_clip_models()`, "starter", a checkpoint folder, or a hub id."""
    clip_model_path: str | None = None
    """A checkpoint to open instead of `clip_model_name`, or the cache folder of downloads."""
    clip_offload: bool = False
    """Not used: weights are mapped from their files."""

    cache_path: str | None = "cache"
    """The folder of indexes; None encodes the labels at every start."""
    download_cache: bool = True
    """Not used: labels are encoded here, once."""
    chunk_size: int = 2048
    """The number of labels that clip-interrogator ranks at once. It changes rankings."""
    data_path: str | None = None
    """A folder with artists.txt, flavors.txt, mediums.txt, movements.txt and negative.txt; None
    stands for the built-in ones."""
    device: Any = "auto"
    """cpu, cuda, cuda:N, metal (or mps), a torch.device, or auto: the GPU of a build with one."""
    flavor_intermediate_count: int = 2048
    """The number of labels that a chain chooses from."""
    quiet: bool = False
    """Whether to show no progress bars."""

    def apply_low_vram_defaults(self) -> None:
        """Sets a smaller captioner, offloading, and half the chunk size and candidates."""
        self.caption_model_name = "blip-base"
        self.caption_offload = True
        self.clip_offload = True
        self.chunk_size = 1024
        self.flavor_intermediate_count = 1024


def list_caption_models() -> list[str]:
    """Returns the short names of captioners."""
    return list(CAPTION_MODELS)


def list_clip_models() -> list[str]:
    """Returns the names of models that can be opened."""
    return _native.model_names()

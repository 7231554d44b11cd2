"""What a worker of a cluster opens and computes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import ArgumentError

OUTPUTS = ("prompt", "caption", "features")
"""The columns that can be asked for. The column `error` is always there."""

IMAGE_COLUMNS = ("bytes", "content", "image", "path")
"""Where images are looked for, in this order, if no column is named."""


@dataclass(frozen=True)
class Settings:
    """What to open in each worker process, and which columns to compute from the images.

    A relative folder is made absolute where the settings are written, since workers run in other
    folders: the index always, a model or captioner only if it has a slash (`./ViT-L-14`). The
    folders must exist under the same path on every machine.
    """

    model: str = "starter"
    """The model, as for `Model.open`. Opened for prompts and features."""
    index: str | os.PathLike[str] | None = None
    """The folder of the index, which prompts need."""
    captioner: str | None = None
    """The captioner, as for `Captioner.open`. With one, prompts begin with the caption."""
    outputs: Iterable[str] = ("prompt",)
    """The columns to compute: prompt, caption, features."""
    column: str | None = None
    """The column with the images: paths, bytes of image files, or uint8 arrays (height, width, 3).
    By default the first of bytes, content, image and path that there is."""
    output_prefix: str = ""
    """What the names of the new columns begin with, for rows that have a column `caption`."""
    device: str = "auto"
    precision: str | None = None
    captioner_precision: str | None = None
    cache_folder: str | os.PathLike[str] | None = None
    prompt_options: Mapping[str, Any] = field(default_factory=dict)
    """Options of `Interrogator.prompt`: mode, max_flavors, tables, deny and others."""
    caption_options: Mapping[str, Any] = field(default_factory=dict)
    """Options of `Captioner.caption`: num_beams, max_length and others."""
    batch_size: int = 16
    """How many images are decoded and encoded at a time."""

    def __post_init__(self) -> None:
        outputs = (self.outputs,) if isinstance(self.outputs, str) else tuple(self.outputs)
        unknown = [name for name in outputs if name not in OUTPUTS]
        if unknown or not outputs or len(set(outputs)) < len(outputs):
            raise ArgumentError(
                f"outputs: expected some of {', '.join(OUTPUTS)}, found {', '.join(outputs)}",
                "name each column once",
            )
        if "prompt" in outputs and self.index is None:
            raise ArgumentError("outputs: prompt needs an index", "pass index=FOLDER")
        if "caption" in outputs and self.captioner is None:
            raise ArgumentError("outputs: caption needs a captioner", "pass captioner=NAME")
        if self.batch_size < 1:
            raise ArgumentError(
                f"batch_size: expected 1 or more, found {self.batch_size}", "the default is 16"
            )
        own = {"images", "features", "caption", "batch_size", "progress"}
        for options in ("prompt_options", "caption_options"):
            if misplaced := own.intersection(getattr(self, options)):
                raise ArgumentError(
                    f"{options}: {', '.join(sorted(misplaced))} cannot be set for a whole job",
                    "the images of a column are described; batch_size is a setting of its own",
                )
        object.__setattr__(self, "outputs", outputs)
        for name in ("index", "cache_folder"):
            if (folder := getattr(self, name)) is not None:
                object.__setattr__(self, name, os.path.abspath(folder))
        for name in ("model", "captioner"):
            path = getattr(self, name)
            if path is not None and "/" in path.replace(os.sep, "/") and os.path.isdir(path):
                object.__setattr__(self, name, os.path.abspath(path))

    @property
    def names(self) -> dict[str, str]:
        """The names of the new columns, in their order, by what they hold."""
        return {name: self.output_prefix + name for name in (*self.outputs, "error")}

    def image_column(self, columns: Iterable[str]) -> str:
        """Returns the column of `columns` that has the images.

        Fails too if one of the new columns exists already, since it would be lost.
        """
        columns = list(columns)
        if taken := [name for name in self.names.values() if name in columns]:
            raise ArgumentError(
                f"column {taken[0]} already exists",
                "rename or drop it, or pass output_prefix='clip_'",
            )
        wanted = IMAGE_COLUMNS if self.column is None else (self.column,)
        for name in wanted:
            if name in columns:
                return name
        raise ArgumentError(
            f"no column of images: expected {' or '.join(wanted)}, found {', '.join(columns)}",
            "pass column=NAME",
        )

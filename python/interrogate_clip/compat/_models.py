"""Opens the models that a `Config` names."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from .._native import Captioner, Model
from ..errors import ArgumentError
from ._bars import bar
from ._config import Config

_T = TypeVar("_T")


def open_model(config: Config) -> Model:
    """Opens `clip_model_name`, or the checkpoint in `clip_model_path`."""
    if config.clip_model is not None:
        return _given(config.clip_model, Model, "clip_model", "clip_model_name")
    name, cache = config.clip_model_name, config.clip_model_path
    if cache is not None and _is_checkpoint(Path(cache)):
        name, cache = cache, None
    with bar(name, "bytes", quiet=config.quiet) as progress:
        return Model.open(name, device=device(config), cache_folder=cache, progress=progress)


def open_captioner(config: Config) -> Captioner | None:
    """Opens `caption_model_name`; returns None if it is not set."""
    if config.caption_model is not None:
        return _given(config.caption_model, Captioner, "caption_model", "caption_model_name")
    if not config.caption_model_name:
        return None
    with bar(config.caption_model_name, "bytes", quiet=config.quiet) as progress:
        return Captioner.open(config.caption_model_name, device=device(config), progress=progress)


def device(config: Config) -> str:
    """Returns the device in this package's words. A torch.device is its name."""
    name = str(config.device)
    return "metal" if name == "mps" or name.startswith("mps:") else name


def _given(value: Any, kind: type[_T], field: str, instead: str) -> _T:
    if isinstance(value, kind):
        return value
    found = f"{type(value).__module__}.{type(value).__qualname__}"
    raise ArgumentError(
        f"Config.{field}: expected an interrogate_clip.{kind.__name__} or None, found {found}",
        f"save the model, and set {instead} to its folder",
    )


def _is_checkpoint(path: Path) -> bool:
    """Whether `path` is a file of weights or a checkpoint folder, and not a cache folder."""
    configs = ["config.json", "open_clip_config.json"]
    return path.is_file() or any((path / name).is_file() for name in configs)

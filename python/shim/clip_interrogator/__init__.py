"""clip-interrogator's module, by interrogate-clip: `interrogate_clip.compat`."""

from importlib import metadata

from interrogate_clip.compat import (
    Config,
    Interrogator,
    LabelTable,
    list_caption_models,
    list_clip_models,
    load_list,
)

__all__ = [
    "Config",
    "Interrogator",
    "LabelTable",
    "list_caption_models",
    "list_clip_models",
    "load_list",
]

__version__ = "0.6.0"
"""The version of clip-interrogator whose interface this is."""


def _refuse_both() -> None:
    """Raises ImportError if clip-interrogator is installed beside this package."""
    try:
        found = metadata.version("clip-interrogator")
    except metadata.PackageNotFoundError:
        return
    raise ImportError(
        f"clip_interrogator: both clip-interrogator {found} and interrogate-clip-shim are "
        "installed\nhint: pip uninstall clip-interrogator, or pip uninstall interrogate-clip-shim "
        "and reinstall clip-interrogator"
    )


_refuse_both()

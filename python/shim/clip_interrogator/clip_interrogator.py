"""The module of clip-interrogator that scripts import helpers from."""

from interrogate_clip.compat import (
    CAPTION_MODELS,
    Config,
    Interrogator,
    LabelTable,
    _merge_tables,
    _prompt_at_max_len,
    _truncate_to_fit,
    list_caption_models,
    list_clip_models,
    load_list,
)

__all__ = [
    "CAPTION_MODELS",
    "Config",
    "Interrogator",
    "LabelTable",
    "_merge_tables",
    "_prompt_at_max_len",
    "_truncate_to_fit",
    "list_caption_models",
    "list_clip_models",
    "load_list",
]

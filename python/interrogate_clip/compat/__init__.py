"""clip-interrogator's classes and functions over this package.

    from interrogate_clip.compat import Config, Interrogator

    ci = Interrogator(Config(clip_model_name="ViT-L-14/openai"))
    print(ci.interrogate(Image.open("photo.jpg")))

Names, fields, defaults and prompts are those of clip-interrogator 0.6.0, without torch. Features
are numpy arrays (1, dim); torch tensors are accepted too. docs/PYTHON.md lists what differs.
"""

from ._config import CAPTION_MODELS, Config, list_caption_models, list_clip_models
from ._interrogator import Interrogator
from ._label_table import LabelTable, _merge_tables
from ._lists import load_list
from ._prompt_length import _prompt_at_max_len, _truncate_to_fit

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

"""What does this image look like, in words?

Ranks the labels of an index for images with CLIP, writes prompts and captions, and embeds images
and texts, offline. The work is done by a Rust library, without the GIL and on all cores.

    from interrogate_clip import Interrogator, Model, build_index

    model = Model.open("starter")
    interrogator = Interrogator(model, build_index(None, "indexes", model))
    print(interrogator.prompt("photo.jpg"))
"""

from . import errors
from ._native import (
    Captioner,
    Index,
    Interrogator,
    Model,
    Table,
    __version__,
    build_index,
    builtin_dictionaries,
    captioner_names,
    disable_mmap,
    model_names,
    set_num_threads,
)
from ._results import Prompt, Ranking
from .errors import InterrogateError

__all__ = [
    "Captioner",
    "Index",
    "InterrogateError",
    "Interrogator",
    "Model",
    "Prompt",
    "Ranking",
    "Table",
    "__version__",
    "build_index",
    "builtin_dictionaries",
    "captioner_names",
    "disable_mmap",
    "errors",
    "model_names",
    "set_num_threads",
]

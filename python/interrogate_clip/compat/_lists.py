"""Lists of labels: text files, built-in dictionaries, and labels made of names."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable

from .._native import builtin_dictionaries
from ..errors import DictionaryError, FileError

NAMES = ["artists", "flavors", "mediums", "movements", "negative"]

# The spelling of "dribble" is clip-interrogator's, and so part of its prompts.
SITES = (
    "Artstation,behance,cg society,cgsociety,deviantart,dribble,flickr,instagram,pexels,pinterest,"
    "pixabay,pixiv,polycount,reddit,shutterstock,tumblr,unsplash,zbrush central"
).split(",")


def load_list(data_path: str | os.PathLike[str] | None, filename: str | None = None) -> list[str]:
    """Returns every line of the file `data_path`, or of `filename` in the folder `data_path`,
    stripped; blank and repeated lines too. Invalid UTF-8 becomes U+FFFD. `load_list(None, NAME)`
    returns the lines of a built-in dictionary.
    """
    if data_path is None:
        return _stripped(io.StringIO(_built_in(filename), newline=None))
    path = os.path.join(data_path, filename) if filename is not None else data_path
    with open(path, encoding="utf-8", errors="replace") as file:
        return _stripped(file)


def _stripped(lines: Iterable[str]) -> list[str]:
    return [line.strip() for line in lines]


def _built_in(name: str | None) -> str:
    texts = builtin_dictionaries()
    if name not in texts:
        names = ", ".join(sorted(texts)) or "none in this build; set Config.data_path to a folder"
        raise DictionaryError(f"{name}: not a built-in dictionary", f"built-in are {names}")
    return texts[name]


def load_lists(folder: str | None) -> dict[str, list[str]]:
    """Returns the lines of the five dictionaries in `folder`, by name; of None the built-in ones.

    Raises FileError if a file cannot be read and DictionaryError if it has no label.
    """
    lists = {}
    for name in NAMES:
        try:
            lists[name] = load_list(folder, f"{name}.txt")
        except OSError as error:
            path = os.path.join(folder or "", f"{name}.txt")
            raise FileError(
                f"{path}: {error.strerror or error}",
                f"Config.data_path is a folder with {', '.join(f'{name}.txt' for name in NAMES)}",
            ) from error
        if not any(lists[name]):
            raise DictionaryError(
                f"{os.path.join(folder or '', f'{name}.txt')}: no label", "write one label a line"
            )
    return lists


def artist_labels(names: list[str]) -> list[str]:
    """Returns the labels of artists."""
    return [f"by {name}" for name in names] + [f"inspired by {name}" for name in names]


def trending_labels() -> list[str]:
    """Returns the labels of clip-interrogator's sites."""
    forms = ["{}", "trending on {}", "featured on {}", "{} contest winner"]
    return [form.format(site) for form in forms for site in SITES]

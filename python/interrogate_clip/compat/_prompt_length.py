"""The token limit of clip-interrogator 0.6.0."""

from __future__ import annotations

from typing import Protocol


class Counter(Protocol):
    """What counts tokens: a `Model`."""

    @property
    def context_length(self) -> int:
        """The maximum number of tokens of a text."""

    def count_tokens(self, texts: str, /) -> int:
        """Returns the number of tokens of a text, special tokens included."""


def _prompt_at_max_len(text: str, tokenize: Counter) -> bool:
    """Returns whether `text` fills the model's context. `tokenize` is `Interrogator.tokenize`."""
    return tokenize.count_tokens(text) >= tokenize.context_length


def _truncate_to_fit(text: str, tokenize: Counter) -> str:
    """Returns the first parts of `text` between commas that fit the model's context. As in
    clip-interrogator, the comma before a part is not counted.
    """
    kept, *parts = text.split(", ")
    for part in parts:
        if _prompt_at_max_len(kept + part, tokenize):
            break
        kept = f"{kept}, {part}"
    return kept

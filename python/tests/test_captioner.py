"""Captioner: a seeded BLIP of the repository's fixtures, whose captions are noise but fixed."""

from __future__ import annotations

from pathlib import Path

import pytest

import interrogate_clip as ic
from interrogate_clip import errors

BLIP = Path(__file__).parents[2] / "tests" / "fixtures" / "caption" / "blip"


@pytest.fixture(scope="module")
def captioner() -> ic.Captioner:
    return ic.Captioner.open(str(BLIP))


def test_captions_do_not_depend_on_the_batch(captioner: ic.Captioner, photos: list[Path]) -> None:
    captions = captioner.caption(photos, max_length=8)
    assert captions == [captioner.caption(photo, max_length=8) for photo in photos]
    assert captions == captioner.caption(photos, max_length=8, batch_size=1)
    assert all(isinstance(caption, str) and caption for caption in captions)


def test_options_of_a_caption(captioner: ic.Captioner, cat: Path) -> None:
    greedy = captioner.caption(cat, max_length=8)
    assert captioner.caption(cat, max_length=8, temperature=1.0, seed=3) == captioner.caption(
        cat, max_length=8, temperature=1.0, seed=3
    )
    assert len(captioner.caption(cat, max_length=3, min_length=1)) <= len(greedy)
    with pytest.raises(TypeError, match="unexpected keyword argument 'beams'"):
        captioner.caption(cat, beams=3)
    with pytest.raises(errors.CaptionError, match="num_beams"):
        captioner.caption(cat, num_beams=0)
    with pytest.raises(ValueError, match="early_stopping"):
        captioner.caption(cat, early_stopping="sometimes")


def test_prompt_begins_with_the_caption(
    captioner: ic.Captioner, model: ic.Model, index: ic.Index, cat: Path
) -> None:
    interrogator = ic.Interrogator(model, index, captioner)
    prompt = interrogator.prompt(cat)
    assert prompt.caption == captioner.caption(cat) and prompt.startswith(prompt.caption)
    assert interrogator.prompt(cat, caption="a cat").caption == "a cat"

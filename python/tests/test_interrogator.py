"""Interrogator: prompts in every mode, with their options."""

from __future__ import annotations

from pathlib import Path

import pytest

import interrogate_clip as ic
from interrogate_clip import errors


def test_prompt_is_a_string_with_its_labels(interrogator: ic.Interrogator, cat: Path) -> None:
    prompt = interrogator.prompt(cat, caption="a cat on a mat")
    assert isinstance(prompt, str) and isinstance(prompt, ic.Prompt)
    assert prompt.startswith("a cat on a mat") and "a cat" in prompt.split(", ")
    assert prompt.caption == "a cat on a mat"
    assert prompt.labels["flavors"][0][0] == "a cat"
    assert prompt.score is None and prompt.chosen is None


def test_several_images_give_a_list(interrogator: ic.Interrogator, photos: list[Path]) -> None:
    prompts = interrogator.prompt(photos, max_flavors=1)
    assert prompts == [interrogator.prompt(photo, max_flavors=1) for photo in photos]
    features = interrogator.model.embed_images(photos)
    assert interrogator.prompt(features=features, max_flavors=1) == prompts
    assert interrogator.prompt([]) == []


def test_modes(interrogator: ic.Interrogator, cat: Path) -> None:
    best = interrogator.prompt(cat, "best", caption="a photo", max_flavors=3, min_flavors=1)
    assert best.chosen in {"caption", "classic", "fast", "best"} and best.score
    negative = interrogator.prompt(cat, "negative", max_flavors=2)
    assert negative and "a cat" not in negative.split(", ")
    assert interrogator.prompt(cat, "caption", caption="x") == "x"
    with pytest.raises(ValueError, match="mode: expected seed, classic"):
        interrogator.prompt(cat, "fastest")  # type: ignore[call-overload]


def test_options(interrogator: ic.Interrogator, cat: Path) -> None:
    prompt = interrogator.prompt(
        cat,
        template="{mediums}; {flavors}",
        lists={"flavors": ["a tabby cat", "a tram"]},
        deny=["photo"],
        prefix="begin",
        suffix="end",
        min_score=-1.0,
        max_flavors=1,
    )
    assert prompt.startswith("begin, ") and prompt.endswith("a tabby cat, end")
    assert "photo" not in prompt
    only = interrogator.prompt(cat, tables=["flavors"], max_flavors=1)
    assert list(only.labels) == ["flavors"]
    with pytest.raises(errors.TableNotFoundError):
        interrogator.prompt(cat, tables=["artists"])
    with pytest.raises(ValueError, match="needs images or features"):
        interrogator.prompt()
    with pytest.raises(ValueError, match="caption: expected one or 2, found 3"):
        interrogator.prompt([cat, cat], caption=["a", "b", "c"])
    with pytest.raises(errors.PromptError):
        interrogator.prompt(cat, template="{artists}")
    with pytest.raises(errors.PromptError):
        interrogator.prompt(cat, "fast", prefix="word " * 100, max_tokens=4)


def test_chain_grows_while_the_score_rises(model: ic.Model, cat: Path) -> None:
    features = model.embed_images(cat)
    text, score = model.chain(features, ["a dog", "a cat", "whiskers"], min_count=0)
    assert text.startswith("a cat")
    assert score == pytest.approx(float(features @ model.embed_texts(text)), abs=1e-5)
    worst, _ = model.chain(features, ["a dog", "a cat", "a tram"], reverse=True, max_count=0)
    assert worst != "a cat"
    with pytest.raises(ValueError, match="one image"):
        model.chain([features, features], ["a dog"])


def test_index_of_another_model_is_refused(
    index: ic.Index, model: ic.Model, tmp_path: Path
) -> None:
    fixture = Path(__file__).parents[2] / "tests" / "fixtures" / "index-v1-codes"
    with pytest.raises(errors.LabelIndexError):
        ic.Interrogator(model, ic.Index.open(fixture))

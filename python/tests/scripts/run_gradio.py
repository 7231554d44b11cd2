#!/usr/bin/env python3
"""A page that writes prompts and ranks labels, as a user of clip-interrogator would write it."""

import argparse

import gradio as gr
from clip_interrogator import Config, Interrogator, list_caption_models, list_clip_models
from PIL import Image

parser = argparse.ArgumentParser()
parser.add_argument("-c", "--clip", default="ViT-L-14/openai")
parser.add_argument("--caption-model", default="blip-large")
parser.add_argument("--data")
parser.add_argument("--cache", default="cache")
parser.add_argument("--lowvram", action="store_true")
parser.add_argument("-s", "--share", action="store_true")
args = parser.parse_args()

config = Config(cache_path=args.cache, clip_model_name=args.clip, quiet=True)
if args.lowvram:
    config.apply_low_vram_defaults()
config.caption_model_name = args.caption_model
if args.data:
    config.data_path = args.data
ci = Interrogator(config)


def load(caption_model_name: str | None, clip_model_name: str) -> None:
    """Opens the models that were chosen, if they are not those in use."""
    if caption_model_name != ci.config.caption_model_name:
        ci.config.caption_model_name = caption_model_name
        ci.load_caption_model()
    if clip_model_name != ci.config.clip_model_name:
        ci.config.clip_model_name = clip_model_name
        ci.load_clip_model()


def analyze(image: Image.Image, clip_model_name: str) -> list[dict[str, float]]:
    """Returns the best labels of five tables with their scores."""
    load(ci.config.caption_model_name, clip_model_name)
    features = ci.image_to_features(image.convert("RGB"))
    results = []
    for table in [ci.mediums, ci.artists, ci.movements, ci.trendings, ci.flavors]:
        labels = table.rank(features, 5)
        results.append(dict(zip(labels, ci.similarities(features, labels))))
    return results


def prompt(image: Image.Image, mode: str, caption_model_name: str, clip_model_name: str) -> str:
    """Returns a prompt."""
    load(caption_model_name, clip_model_name)
    image = image.convert("RGB")
    if mode == "best":
        return ci.interrogate(image)
    if mode == "classic":
        return ci.interrogate_classic(image)
    if mode == "fast":
        return ci.interrogate_fast(image)
    return ci.interrogate_negative(image)


with gr.Blocks() as page:
    with gr.Row():
        image = gr.Image(type="pil", label="Image")
        mode = gr.Radio(["best", "fast", "classic", "negative"], label="Mode", value="best")
        captioners = gr.Dropdown(list_caption_models(), value=args.caption_model)
        models = gr.Dropdown(list_clip_models(), value=args.clip)
    text = gr.Textbox(label="Prompt")
    gr.Button("Prompt").click(prompt, inputs=[image, mode, captioners, models], outputs=text)
    labels = [gr.Label(label=name) for name in ["Medium", "Artist", "Movement", "Site", "Flavor"]]
    gr.Button("Analyze").click(analyze, inputs=[image, models], outputs=labels)

page.launch(share=args.share)

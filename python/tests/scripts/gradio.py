"""A stub of gradio: records the page, and calls the functions of its buttons on launch."""

from __future__ import annotations

import json
import os
from typing import Any

from PIL import Image as Pillow

CLICKS: list[tuple[Any, list[Component], Any]] = []


class Component:
    """A part of a page. Its value is that of a user who changes nothing."""

    def __init__(self, choices: Any = None, **options: Any) -> None:
        self.choices, self.options = choices, options
        self.value = options.get("value")

    def __enter__(self) -> Component:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def click(self, function: Any, inputs: list[Component], outputs: Any) -> None:
        CLICKS.append((function, inputs, outputs))

    def launch(self, **options: Any) -> None:
        """Presses every button, for each image in GRADIO_IMAGES, and prints the results."""
        for path in json.loads(os.environ["GRADIO_IMAGES"]):
            for function, inputs, outputs in CLICKS:
                is_image = [component.options.get("type") == "pil" for component in inputs]
                values = [
                    Pillow.open(path) if image else component.value
                    for image, component in zip(is_image, inputs)
                ]
                result = function(*values)
                count = len(outputs) if isinstance(outputs, list) else None
                assert count is None or len(result) == count
                print(json.dumps([function.__name__, result]))
        print(json.dumps(["launch", options]))


class Dropdown(Component):
    """A choice."""


Blocks = Button = Component
Image = Label = Radio = Row = Textbox = Component

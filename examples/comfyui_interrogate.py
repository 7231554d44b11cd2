"""A node for ComfyUI: prompts for images, from a running `interrogate serve`.

Copy this file to ComfyUI/custom_nodes/ and restart ComfyUI. The node is "Interrogate (prompt)" in
the category "image". Its output is a list with one prompt for each image of the batch.

The key can also be in the environment variable INTERROGATE_API_KEY: a key in the node is saved
with the workflow. To run the node without ComfyUI:

    python comfyui_interrogate.py http://127.0.0.1:7861 photo.jpg [KEY]
"""

import io
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

import numpy as np
from PIL import Image

BODY = 16 << 20
"""Bytes of images in a request; the server accepts 20 MiB."""

IMAGES = 64
"""Images in a request that the server accepts."""

TRIES = 30
"""Tries while the server's queue is full."""

TIMEOUT = 600
"""Seconds to wait for a response. The server's --timeout is shorter by default."""

# Not the proxy of the environment: the server is on this machine or in its network.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class InterrogatePrompt:
    CATEGORY = "image"
    FUNCTION = "prompt"
    RETURN_TYPES = ("STRING",)
    RETURN_NAMES = ("prompt",)
    OUTPUT_IS_LIST = (True,)
    DESCRIPTION = "Writes a prompt for each image, with a running `interrogate serve`."

    @classmethod
    def INPUT_TYPES(cls):
        modes = ["seed", "classic", "fast", "best", "negative", "caption"]
        return {
            "required": {
                "image": ("IMAGE",),
                "server": ("STRING", {"default": "http://127.0.0.1:7861"}),
                "mode": (modes, {"tooltip": "best and negative take much longer"}),
                "max_flavors": (
                    "INT",
                    {"default": -1, "min": -1, "max": 1000, "tooltip": "-1: the mode's default"},
                ),
            },
            "optional": {
                "api_key": ("STRING", {"default": "", "tooltip": "saved with the workflow; or INTERROGATE_API_KEY"}),
            },
        }

    def prompt(self, image, server, mode="seed", max_flavors=-1, api_key=""):
        files = [png(pixels) for pixels in array(image)]
        options = {"mode": mode}
        if max_flavors >= 0:
            options["max_flavors"] = str(max_flavors)
        prompts = []
        for part in parts(files):
            rows = post(server, options, part, api_key or os.environ.get("INTERROGATE_API_KEY", ""))
            for row in rows:
                if "error" in row:
                    raise RuntimeError(f"interrogate: {row['error']}")
                prompts.append(row["prompt"])
        return (prompts,)


def array(image):
    """Returns an IMAGE, a tensor (batch, height, width, channels) of 0 to 1, as uint8."""
    if hasattr(image, "cpu"):
        image = image.cpu()
    pixels = np.asarray(image, dtype=np.float32)
    if pixels.ndim != 4 or pixels.shape[3] not in (1, 3, 4):
        raise ValueError(f"interrogate: expected images (batch, height, width, channels), found {pixels.shape}")
    return np.rint(np.clip(np.nan_to_num(pixels), 0, 1) * 255).astype(np.uint8)


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG", compress_level=1)
    if file.tell() > BODY:
        raise ValueError(f"interrogate: an image of {file.tell()} bytes is too large for the server; scale it down")
    return file.getvalue()


def parts(files):
    """Yields lists of files that fit in a request."""
    part, size = [], 0
    for file in files:
        if part and (len(part) == IMAGES or size + len(file) > BODY):
            yield part
            part, size = [], 0
        part.append(file)
        size += len(file)
    if part:
        yield part


def post(server, options, files, key):
    """Sends `files` and returns their rows. Waits while the server's queue is full."""
    boundary = uuid.uuid4().hex
    body = bytearray()
    for name, text in options.items():
        body += f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
    for number, file in enumerate(files):
        head = f'content-disposition: form-data; name="image"; filename="{number}.png"'
        body += f"--{boundary}\r\n{head}\r\n\r\n".encode() + file + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    headers = {"content-type": f"multipart/form-data; boundary={boundary}", "accept": "application/json"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    address = server.strip().rstrip("/")
    if "://" not in address:
        address = f"http://{address}"
    request = urllib.request.Request(f"{address}/v1/prompt", bytes(body), headers)
    for attempt in range(TRIES):
        try:
            with OPENER.open(request, timeout=TIMEOUT) as response:
                return json.load(response)["results"]
        except urllib.error.HTTPError as error:
            if error.code == 429 and attempt + 1 < TRIES:
                wait = error.headers.get("retry-after", "1")
                time.sleep(min(int(wait), 60) if wait.isdigit() else 1)
                continue
            raise RuntimeError(f"interrogate: {address}: {problem(error)}") from None
        except urllib.error.URLError as error:
            # A busy server refuses before it has read the whole body.
            is_refused = isinstance(error.reason, (BrokenPipeError, ConnectionResetError))
            if is_refused and attempt + 1 < TRIES:
                time.sleep(1)
                continue
            hint = "is `interrogate serve` running there?"
            raise RuntimeError(f"interrogate: cannot reach {address}: {error.reason}; {hint}") from None
        except (TimeoutError, ConnectionError, ValueError, KeyError) as error:
            raise RuntimeError(f"interrogate: {address}: no valid response: {error!r}") from None
    raise AssertionError("the last try returns or raises")


def problem(error):
    """Returns the text of an error response: problem+json, or its status."""
    try:
        found = json.load(error)
        return "; ".join(filter(None, (f"{error.code}: {found['detail']}", found.get("hint"))))
    except (ValueError, KeyError, TypeError):
        return f"{error.code} {error.reason}"


NODE_CLASS_MAPPINGS = {"InterrogatePrompt": InterrogatePrompt}
NODE_DISPLAY_NAME_MAPPINGS = {"InterrogatePrompt": "Interrogate (prompt)"}


def check(server, photo, key=""):
    """Sends a photo three times as a batch, and requests that fail."""

    class Tensor:
        """What the node needs of torch.Tensor."""

        def __init__(self, values):
            self.values = values

        def cpu(self):
            return self.values

    def fails(wanted, *arguments, **options):
        try:
            node.prompt(*arguments, **options)
        except (RuntimeError, ValueError) as error:
            assert wanted in str(error), error
            print(f"as expected: {error}")
        else:
            raise AssertionError(f"expected an error with {wanted!r}")

    pixels = np.asarray(Image.open(photo).convert("RGB"), np.float32) / 255
    node = NODE_CLASS_MAPPINGS["InterrogatePrompt"]()
    names = {name for group in node.INPUT_TYPES().values() for name in group}
    assert names == {"image", "server", "mode", "max_flavors", "api_key"}, names
    (prompts,) = node.prompt(Tensor(np.stack([pixels] * 3)), server, "seed", 3, key)
    assert len(prompts) == 3 and prompts[0] and len(set(prompts)) == 1, prompts
    (default,) = node.prompt(pixels[None], server, api_key=key)
    assert default == prompts[:1], default
    (many,) = node.prompt(np.stack([pixels[:64, :64]] * 70), server, "classic", 1, key)
    assert len(many) == 70, len(many)
    node.prompt(pixels[None, ..., :1], server, "seed", 0, key)
    fails("unknown variant", pixels[None], server, "slow", api_key=key)
    fails("expected images", pixels, server, api_key=key)
    fails("cannot reach", pixels[None], "http://127.0.0.1:1")
    if key:
        fails("key", pixels[None], server, api_key="another key")
    print(prompts[0])


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    check(*sys.argv[1:])

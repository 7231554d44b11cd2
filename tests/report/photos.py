"""Creates many photos for a report from the few in tests/fixtures/photos.

    python photos.py FOLDER [COUNT]

Each is a random crop of one of them, so that no two look alike. Other files fail or
attack: one that is not an image, a truncated one, and names with markup, with the
braces of the page's template, with line ends, with bytes that are not UTF-8, and with
a right-to-left override. Needs pillow.
"""

import random
import sys
from pathlib import Path

from PIL import Image

folder, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000
sources = sorted((Path(__file__).parent / "../fixtures/photos").glob("*.jpg"))
photos = [(path.stem, Image.open(path).convert("RGB")) for path in sources]
folder.mkdir(parents=True, exist_ok=True)
rng = random.Random(7)
for n in range(count):
    name, photo = photos[n % len(photos)]
    width, height = photo.size
    part = rng.uniform(0.55, 1.0)
    aspect = rng.choice([1.0, 1.0, 0.7, 1 / 0.7])
    w = min(width, int(width * part * aspect))
    h = min(height, int(height * part / aspect))
    x, y = rng.randint(0, width - w), rng.randint(0, height - h)
    photo.crop((x, y, x + w, y + h)).save(folder / f"{name}-{n:04}.jpg", quality=88)
(folder / "no image.jpg").write_bytes(b"not an image")
whole = (folder / f"{photos[0][0]}-0000.jpg").read_bytes()
(folder / "breaks off.jpg").write_bytes(whole[: len(whole) // 2])
(folder / "<img src=x onerror=document.title='attacked'>.jpg").write_bytes(whole)
(folder / "turned \u202egpj.exe.jpg").write_bytes(whole)
for name in (
    "'\"><svg onload=document.title='attacked'>",
    "&lt;b&gt; {{script}} {{cards}}",
    "--><!-- ]]> ${document.title='attacked'}",
    "javascript:document.title='attacked'",
    "two\nlines\ttab \x1b[31m",
):
    (folder / f"{name}.jpg").write_bytes(whole)
(folder / "not utf-8 \udcff\udcfe.jpg").write_bytes(whole)

"""Many photos for a report, out of the few in tests/fixtures/photos.

    python photos.py FOLDER [COUNT]

Each is a window of one of them, of another place, size and proportion, so that no
two look alike. Beside them lie files that fail or try something: one that is no
image, one that breaks off, names with markup in them, with the form's own braces, with
line ends, with bytes that are not UTF-8, a name that turns the direction of writing
round. Needs pillow.
"""

import random
import sys
from pathlib import Path

from PIL import Image

folder, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000
sources = sorted((Path(__file__).parent / "../fixtures/photos").glob("*.jpg"))
photos = [(path.stem, Image.open(path).convert("RGB")) for path in sources]
folder.mkdir(parents=True, exist_ok=True)
chance = random.Random(7)
for n in range(count):
    name, photo = photos[n % len(photos)]
    width, height = photo.size
    part = chance.uniform(0.55, 1.0)
    tall = chance.choice([1.0, 1.0, 0.7, 1 / 0.7])
    w = min(width, int(width * part * tall))
    h = min(height, int(height * part / tall))
    x, y = chance.randint(0, width - w), chance.randint(0, height - h)
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

"""Creates photos like a phone's for `benches/batch`: 4000 x 3000, JPEG of quality 90.
Each is a random part of a fixture, scaled up, with sensor noise.

    python benches/batch/photos.py FOLDER [COUNT]

Needs numpy and Pillow. The same count gives the same photos.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 4000, 3000
FIXTURES = Path(__file__).parent.parent.parent / "tests/fixtures/photos"


def main(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(12)
    fixtures = [Image.open(path).convert("RGB") for path in sorted(FIXTURES.glob("*.jpg"))]
    # Noise is drawn once, larger than a photo, and each photo gets a part of it.
    noise = random.normal(0, 5, (HEIGHT + 512, WIDTH + 512, 1)).astype(np.float32)
    for number in range(count):
        fixture = fixtures[number % len(fixtures)]
        share = random.uniform(0.6, 1.0)
        width, height = int(fixture.width * share), int(fixture.height * share)
        left = int(random.integers(0, fixture.width - width + 1))
        top = int(random.integers(0, fixture.height - height + 1))
        part = fixture.crop((left, top, left + width, top + height))
        photo = np.asarray(part.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), np.float32)
        y, x = random.integers(0, 512, 2)
        noisy = photo + noise[y : y + HEIGHT, x : x + WIDTH]
        photo = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
        photo.save(folder / f"{number:04}.jpg", quality=90)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 500)

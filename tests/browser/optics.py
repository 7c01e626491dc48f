"""The way of light between two phones: one phone's screen as another phone's camera sees it.

A code that only a perfect picture carries is of no use at a counter, so tests look through tilt, blur, noise and grey.
"""

import io
import math
import random

from PIL import Image, ImageChops, ImageFilter

WIDTH, HEIGHT = 1280, 720
BACKGROUND = (90, 90, 90)

# In the page: a camera whose pictures come from the test. An empty page has none.
FAKE_CAMERA = """
if (navigator.mediaDevices) navigator.mediaDevices.getUserMedia = async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1280, height: 720 });
  const context = canvas.getContext("2d");
  context.fillStyle = "#555";
  context.fillRect(0, 0, canvas.width, canvas.height);
  const stream = canvas.captureStream(15);
  const [track] = stream.getVideoTracks();
  const stop = track.stop.bind(track);
  let isLive = true;
  track.stop = () => { isLive = false; stop(); };
  (async () => {
    while (isLive) {
      const picture = await window.__whatTheCameraSees();
      if (picture) {
        const bytes = Uint8Array.from(atob(picture), (character) => character.charCodeAt(0));
        const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
        context.drawImage(bitmap, 0, 0);
        bitmap.close();
      }
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
  })();
  return stream;
};
"""


def seen(screen: bytes, *, seed: int) -> Image.Image:
    """Return what a camera of 1280 x 720 sees of a picture of a screen (PNG): tilted, blurred, noisy, a little grey."""
    chance = random.Random(seed)
    picture = Image.open(io.BytesIO(screen)).convert("RGB")
    corners = _corners(picture.size, turn=math.radians(chance.uniform(-6, 6)), chance=chance)
    source = [(0, 0), (picture.width, 0), (picture.width, picture.height), (0, picture.height)]
    tilted = picture.transform(
        (WIDTH, HEIGHT), Image.Transform.PERSPECTIVE, _coefficients(corners, source), Image.Resampling.BICUBIC,
        fillcolor=BACKGROUND,
    )  # fmt: skip
    blurred = tilted.filter(ImageFilter.GaussianBlur(chance.uniform(0.5, 0.9)))
    greyed = Image.blend(blurred, Image.new("RGB", blurred.size, (128, 128, 128)), 0.15)
    noise = Image.effect_noise(blurred.size, 12).convert("RGB")
    return ImageChops.add(greyed, noise, scale=1, offset=-128)


def jpeg(picture: Image.Image) -> bytes:
    """Return a picture as a camera's driver hands it over."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=90)
    return out.getvalue()


def y4m(picture: Image.Image) -> bytes:
    """Return a video of one picture, in the form that Chromium takes for a camera."""
    y, cb, cr = picture.convert("YCbCr").split()
    half = (picture.width // 2, picture.height // 2)
    frame = y.tobytes() + cb.resize(half).tobytes() + cr.resize(half).tobytes()
    return f"YUV4MPEG2 W{picture.width} H{picture.height} F15:1 Ip A1:1 C420jpeg\n".encode() + (b"FRAME\n" + frame) * 2


def _corners(size: tuple[int, int], *, turn: float, chance: random.Random) -> list[tuple[float, float]]:
    scale = min(WIDTH / size[0], HEIGHT / size[1]) * chance.uniform(0.82, 0.92)
    corners = []
    for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        away_x, away_y = x * size[0] * scale / 2, y * size[1] * scale / 2
        slant_x, slant_y = (chance.uniform(-0.025, 0.025) * HEIGHT for _ in range(2))
        corners.append(
            (
                WIDTH / 2 + away_x * math.cos(turn) - away_y * math.sin(turn) + slant_x,
                HEIGHT / 2 + away_x * math.sin(turn) + away_y * math.cos(turn) + slant_y,
            )
        )
    return corners


def _coefficients(seen_at: list[tuple[float, float]], source: list[tuple[int, int]]) -> list[float]:
    """Return the eight numbers of the perspective that takes points of the camera's picture to points of the screen."""
    rows = []
    for (x, y), (u, v) in zip(seen_at, source, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y, u])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y, v])
    for at in range(8):  # Gauss and Jordan
        pivot = max(range(at, 8), key=lambda row: abs(rows[row][at]))
        rows[at], rows[pivot] = rows[pivot], rows[at]
        rows[at] = [value / rows[at][at] for value in rows[at]]
        for other in range(8):
            if other != at:
                rows[other] = [a - rows[other][at] * b for a, b in zip(rows[other], rows[at], strict=True)]
    return [row[8] for row in rows]

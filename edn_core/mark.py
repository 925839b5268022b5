"""The visible mark: a few words in a corner of a synthesized picture."""

import functools
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

HEIGHT_FRACTION = 1 / 28  # of the picture's height
MIN_SIZE = 10  # px; smaller letters cannot be read
MAX_WIDTH = 0.9  # of the picture's width


def check_mark(text: str) -> None:
    """Refuse a text that cannot be drawn; names the first character that the font lacks."""
    from matplotlib.font_manager import get_font  # slow to import, and every job's start would

    font = get_font(str(_font_file()))
    for character in text:
        if not character.isprintable() or not font.get_char_index(ord(character)):
            raise ValueError(
                f"assembly.mark is {text!r}: the font has no letter for {character!r}; "
                "write it in Latin, Greek or Cyrillic letters, on one line"
            )


def _font_file() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def draw_mark(image: np.ndarray, text: str) -> np.ndarray:
    """Write a text into the lower right corner: white with a dark edge, legible on anything.

    A new image of the same shape, (H, W, 3) uint8 RGB or (H, W, 4) with opacity, not premultiplied.
    The letters are 1/28 of the height, but at least 10 px, and smaller only where a single word is
    wider than the picture; the text is broken into lines where it is. ValueError if the font lacks
    a letter.
    """
    if not text:
        return image
    place, colors, opacity = _letters(text, image.shape[0], image.shape[1])
    marked = image.copy()
    under, share = marked[place].astype(np.float32), opacity
    if image.shape[2] == 4:
        opaque = opacity + under[..., 3:] / 255 * (1 - opacity)
        marked[place][..., 3:] = np.round(255 * opaque)
        share = opacity / np.maximum(opaque, 1 / 255)
    marked[place][..., :3] = np.round(under[..., :3] + (colors - under[..., :3]) * share)
    return marked


@functools.lru_cache(maxsize=8)
def _letters(
    text: str, height: int, width: int
) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
    """Where the letters lie, their colours (h, w, 3) and opacity (h, w, 1) float32, 0 to 1."""
    check_mark(text)
    size = max(MIN_SIZE, round(height * HEIGHT_FRACTION))
    font = ImageFont.truetype(_font_file(), size)
    while size > 1 and max(font.getlength(word) for word in text.split() or [""]) > (
        MAX_WIDTH * width
    ):
        size -= 1
        font = ImageFont.truetype(_font_file(), size)
    lines = "\n".join(_wrapped(text, font, MAX_WIDTH * width))
    edge, margin = max(1, round(size / 9)), max(2, size // 3)
    layer = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    ImageDraw.Draw(layer).multiline_text(
        (width - margin - edge, height - margin - edge),
        lines,
        fill=(255, 255, 255, 255),
        font=font,
        anchor="rd",
        align="right",
        spacing=edge,
        stroke_width=edge,
        stroke_fill=(0, 0, 0, 255),
    )
    x0, y0, x1, y1 = layer.getbbox() or (0, 0, 1, 1)
    pixels = np.asarray(layer.crop((x0, y0, x1, y1)), np.float32)
    return (slice(y0, y1), slice(x0, x1)), pixels[..., :3], pixels[..., 3:] / 255


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """The text as lines no wider than so many px, where its words allow that."""
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines

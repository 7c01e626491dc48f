"""Text on a PDF page in any of the wallet's scripts: letters joined, directions mixed, each from a font that has it.

The library draws one run of one font in one direction. Who writes Arabic also writes numbers and names in it, which go
from left to right inside: a text is cut into runs, and the runs are placed in the direction of the language.
"""

import re
import unicodedata
from functools import cache, lru_cache
from typing import Final, NamedTuple

import fontpkg
import uharfbuzz
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

ARABIC: Final = r"\u0600-\u065f\u066a-\u06ef\u06fa-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc"
DEVANAGARI: Final = r"\u0900-\u0965\u0970-\u097f\ua8e0-\ua8ff\u200c\u200d"
RUNS: Final = re.compile(
    rf"(?P<arabic>[{ARABIC}]+(?:[ ]+[{ARABIC}]+)*)|(?P<devanagari>[{DEVANAGARI}]+(?:[ ]+[{DEVANAGARI}]+)*)"
    rf"|(?P<space>[ ]+)|(?P<latin>[^ {ARABIC}{DEVANAGARI}]+(?:[ ]+[^ {ARABIC}{DEVANAGARI}]+)*)"
)
FONTS: Final = {"arabic": "Noto Sans Arabic", "devanagari": "Noto Sans Devanagari", "latin": "Noto Sans"}
ELLIPSIS: Final = "…"
JOINERS: Final = "\u200c\u200d"
PRIVATE, PRIVATE_END = 0xE000, 0xF900  # what Unicode leaves to everybody
SHAPES_MAX = 5000


class Run(NamedTuple):
    """A piece of text that is drawn in one go."""

    text: str
    font: str
    is_right_to_left: bool


class Shape(NamedTuple):
    """The glyphs of a run from left to right, each with its place, in units of the font size."""

    glyphs: tuple[tuple[str, float, float], ...]
    width: float


@cache
def _font(family: str) -> TTFont:
    font = TTFont(family, str(fontpkg.path(family)))
    pdfmetrics.registerFont(font)
    return font


@cache
def _letters(family: str) -> uharfbuzz.Font:
    return uharfbuzz.Font(uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(fontpkg.path(family)))))


@lru_cache(maxsize=SHAPES_MAX)
def _shape(run: Run) -> Shape:
    """Join the letters of a run as they are written.

    The library's own shaping puts glyphs in the order of the letters, which is wrong for both scripts. A glyph that is
    no letter by itself gets a private one that follows from its number, so that a file depends on nothing made before.
    """
    font, letters = _font(run.font), _letters(run.font)
    buffer = uharfbuzz.Buffer()
    buffer.add_str(run.text)
    buffer.guess_segment_properties()
    uharfbuzz.shape(letters, buffer, {})
    face, em = font.face, letters.face.upem
    glyphs, at = [], 0
    for info, place in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
        known = face.glyphToChar.get(info.codepoint)
        letter = known[0] if known else PRIVATE + info.codepoint
        if not known:
            assert letter < PRIVATE_END, (run.font, info.codepoint)
            face.charToGlyph[letter] = info.codepoint
            face.charWidths[letter] = place.x_advance * 1000 // em
        glyphs.append((chr(letter), (at + place.x_offset) / em, place.y_offset / em))
        at += place.x_advance
    return Shape(tuple(glyphs), at / em)


def runs(text: str) -> list[Run]:
    """Cut a text into runs, in the order in which it is read; control and direction characters are left out."""
    clean = "".join(
        letter if letter.isprintable() or letter in JOINERS else " " * (unicodedata.category(letter) != "Cf")
        for letter in text
    )
    return [
        Run(match[0], FONTS[match.lastgroup if match.lastgroup in FONTS else "latin"], match.lastgroup == "arabic")
        for match in RUNS.finditer(clean)
    ]


def width(text: str, size: float) -> float:
    """Return how wide a text is."""
    return sum(_run_width(run, size) for run in runs(text))


def _run_width(run: Run, size: float) -> float:
    if run.font != FONTS["latin"]:
        return _shape(run).width * size
    found: float = _font(run.font).stringWidth(run.text, size)
    return found


def fitted(text: str, size: float, room: float) -> str:
    """Return the text, cut to the room with an ellipsis if it is too long."""
    if width(text, size) <= room:
        return text
    while text and width(text + ELLIPSIS, size) > room:
        text = text[:-1]
    return text.rstrip() + ELLIPSIS


def draw(
    canvas: Canvas, x: float, y: float, text: str, *, size: float, is_right_to_left: bool, ends_at_x: bool = False
) -> None:
    """Draw a text that begins, or ends, at `x` from the left."""
    pieces = runs(text)
    left = x - width(text, size) if ends_at_x else x
    for run in reversed(pieces) if is_right_to_left else pieces:
        _font(run.font)
        canvas.setFont(run.font, size)
        if run.font == FONTS["latin"]:
            canvas.drawString(left, y, run.text)
        else:
            # What is drawn are glyphs; who copies or listens gets the letters.
            canvas.addLiteral(f"/Span <</ActualText <FEFF{run.text.encode('utf-16-be').hex().upper()}>>> BDC")
            for letter, right, up in _shape(run).glyphs:
                canvas.drawString(left + right * size, y + up * size, letter)
            canvas.addLiteral("EMC")
        left += _run_width(run, size)

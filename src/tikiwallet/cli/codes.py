"""Codes in and out: text, pictures, and half blocks in a terminal.

A code comes as text that somebody pasted, as a photograph, or from another program. All of them end as the same text
before anything is believed. Pictures are bounded before they are decoded: a phone can be handed any file.
"""

import warnings
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

import segno
import zxingcpp
from PIL import Image, UnidentifiedImageError

from tikicash.encoding import PREFIX, TEXT_MAX
from tikicash.errors import Rejected
from tikicash.messages import Message, parse_code
from tikiwallet.cli.problems import (
    CodeFileUnreadable,
    NoCodeInPicture,
    PictureTooLarge,
    PictureUnwritable,
    ProtocolSaidNo,
)

FILE_BYTES_MAX: Final = 20_000_000
PICTURE_PIXELS_MAX: Final = 50_000_000  # a large phone camera
QR_CHARACTERS_MAX: Final = 4296  # the largest QR code, 40-L, in its alphanumeric mode
PICTURE_MODULE_PIXELS: Final = 8  # large enough for a camera at arm's length
QUIET_MODULES: Final = 4  # ISO/IEC 18004: a code needs four empty modules around it
PICTURE_STARTS: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")


def read_code(given: str, stdin: BinaryIO) -> Message:
    """Return what a code says: `given` is its text, a path to a picture or text file, or "-" for `stdin`.

    Problems: `CodeFileUnreadable`, `PictureTooLarge`, `NoCodeInPicture`, and `ProtocolSaidNo` with a code of tikicash.
    """
    if given == "-":
        return parse_any(text_of(stdin.read(FILE_BYTES_MAX + 1)))
    if given.startswith(PREFIX):
        return parse_any(given)
    path = Path(given)
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:  # a NUL in the name is a ValueError
        if len(given) > 200 or ("/" not in given and "." not in given):
            raise ProtocolSaidNo(Rejected("not_a_code")) from error
        raise CodeFileUnreadable from error
    return parse_any(text_of(content))


def text_of(content: bytes) -> str:
    """Return the text of the code in a file: a PNG or JPEG, or the text itself.

    Problems: `PictureTooLarge`, `NoCodeInPicture`, `ProtocolSaidNo`.
    """
    if len(content) > FILE_BYTES_MAX:
        raise PictureTooLarge
    if content.startswith(PICTURE_STARTS):
        return read_picture(content)
    return content[: 2 * TEXT_MAX].decode("latin-1")


def parse_any(text: str) -> Message:
    """Return what the text of a code says. Ends of lines in it are passed over, and spaces around it.

    No code ends in a space: the last character of a group in Base45 is its largest digit, at most W.
    Problem: `ProtocolSaidNo`.
    """
    try:
        return parse_code(text.strip().replace("\r", "").replace("\n", ""))
    except Rejected as rejected:
        raise ProtocolSaidNo(rejected) from rejected


def read_picture(content: bytes) -> str:
    """Return the text of the first TikiWallet code in a PNG or JPEG; other codes in it are passed over.

    Problems: `PictureTooLarge`, `NoCodeInPicture`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(content), formats=("PNG", "JPEG")) as picture:
                if picture.width * picture.height > PICTURE_PIXELS_MAX:
                    raise PictureTooLarge
                grey = picture.convert("L")
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise PictureTooLarge from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise NoCodeInPicture from error
    for found in zxingcpp.read_barcodes(grey, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)):
        if found.text.startswith(PREFIX):
            text: str = found.text
            return text
    raise NoCodeInPicture


def make_qr(text: str) -> segno.QRCode:
    """Return the QR code of a code's text: alphanumeric, the smallest version at error correction L."""
    return segno.make(text, mode="alphanumeric", error="l", micro=False, boost_error=False)


def write_png(text: str, path: Path) -> None:
    """Write a code as a PNG. Problem: `PictureUnwritable`."""
    if len(text) > QR_CHARACTERS_MAX:
        raise PictureUnwritable("This is too large for a picture. It is stored, and `tiki sync` brings it as it is.")
    try:
        with path.open("wb") as file:
            make_qr(text).save(file, kind="png", scale=PICTURE_MODULE_PIXELS, border=QUIET_MODULES)
    except OSError as error:
        raise PictureUnwritable from error


def half_blocks(text: str) -> list[str]:
    """Return a code as lines of half blocks, two modules high; full is dark. All lines are equally wide."""
    rows = [bytes(QUIET_MODULES) + bytes(row) + bytes(QUIET_MODULES) for row in make_qr(text).matrix]
    empty = bytes(len(rows[0]))
    rows = [*[empty] * QUIET_MODULES, *rows, *[empty] * QUIET_MODULES]
    if len(rows) % 2:
        rows.append(empty)
    glyphs = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
    return [
        "".join(glyphs[upper, lower] for upper, lower in zip(top, bottom, strict=True))
        for top, bottom in zip(rows[::2], rows[1::2], strict=True)
    ]

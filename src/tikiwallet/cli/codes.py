"""Codes in and out: text, pictures, and half blocks in a terminal.

A code comes as text that somebody pasted, as a photograph, or from another program. All of them end as the same text
before anything is believed. Pictures are bounded before they are decoded: a phone can be handed any file.
"""

import codecs
import warnings
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

import segno
import zxingcpp
from PIL import Image, UnidentifiedImageError

from tikicash.encoding import PREFIX, TEXT_MAX
from tikicash.errors import Rejected
from tikicash.messages import Bundle, Message, Request, parse_code
from tikiwallet.cli.problems import (
    CodeFileUnreadable,
    NoCodeInPicture,
    PictureTooLarge,
    PictureUnwritable,
    ProtocolSaidNo,
    WrongKindOfCode,
)
from tikiwallet.cli.problems_of_copies import FileTooLarge, FileUnwritable

FILE_BYTES_MAX: Final = 20_000_000
PICTURE_PIXELS_MAX: Final = 50_000_000  # a large phone camera
QR_CHARACTERS_MAX: Final = 4296  # the largest QR code, 40-L, in its alphanumeric mode
PICTURE_MODULE_PIXELS: Final = 8  # large enough for a camera at arm's length
QUIET_MODULES: Final = 4  # ISO/IEC 18004: a code needs four empty modules around it
PICTURE_STARTS: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")


def read_request_code(given: str, stdin: BinaryIO) -> Bundle:
    """Return the request that a code is. Problems: those of `read_code`, `WrongKindOfCode`."""
    message = read_code(given, stdin)
    if isinstance(message, Bundle) and message.documents and isinstance(message.documents[-1].body, Request):
        return message
    raise WrongKindOfCode(f"{WrongKindOfCode.sentence()} Scan the code of the payee's request.")


def read_code(given: str, stdin: BinaryIO) -> Message:
    """Return what a code says: `given` is its text, a path to a picture or text file, or "-" for `stdin`.

    Problems: `CodeFileUnreadable`, `PictureTooLarge`, `NoCodeInPicture`, and `ProtocolSaidNo` with a code of tikicash.
    """
    if given.startswith(PREFIX):
        return parse_any(given)
    content = read_file(given, stdin)
    if content.startswith(PICTURE_STARTS):
        return parse_any(read_picture(content)[0])
    return parse_any(read_text(content)[: 2 * TEXT_MAX])


def read_file(given: str, stdin: BinaryIO) -> bytes:
    """Return the content of a file, or of `stdin` for "-".

    Problems: `CodeFileUnreadable`, `PictureTooLarge`, `FileTooLarge`, and `ProtocolSaidNo` (not_a_code) for a name that
    looks like somebody's misread code.
    """
    try:
        if given == "-":
            content = stdin.read(FILE_BYTES_MAX + 1)
        else:
            with Path(given).open("rb") as file:
                content = file.read(FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:  # a NUL in the name is a ValueError
        if len(given) > 200 or ("/" not in given and "." not in given):
            raise ProtocolSaidNo(Rejected("not_a_code")) from error
        raise CodeFileUnreadable from error
    if len(content) > FILE_BYTES_MAX:
        raise PictureTooLarge if content.startswith(PICTURE_STARTS) else FileTooLarge
    return content


def read_text(content: bytes) -> str:
    """Return the text of a file. Codes are ASCII; editors put byte order marks before them, and some write UTF-16."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    return content.removeprefix(codecs.BOM_UTF8).decode("latin-1")


def parse_any(text: str) -> Message:
    """Return what the text of a code says. Ends of lines in it are passed over, and spaces around it.

    No code ends in a space: the last character of a group in Base45 is its largest digit, at most W.
    Problem: `ProtocolSaidNo`.
    """
    try:
        return parse_code(text.strip().replace("\r", "").replace("\n", ""))
    except Rejected as rejected:
        raise ProtocolSaidNo(rejected) from rejected


def read_picture(content: bytes) -> list[str]:
    """Return the texts of the TikiWallet codes in a PNG or JPEG, one or more; other codes in it are passed over.

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
    found = zxingcpp.read_barcodes(grey, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    texts = [str(item.text) for item in found if item.text.startswith(PREFIX)]
    if not texts:
        raise NoCodeInPicture
    return texts


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


def write_pictures(texts: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Write a PNG for each text by its name, and return the files of those that fit one.

    Problems: `FileUnwritable`, `PictureUnwritable`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileUnwritable from error
    files = {name: folder / f"{name}.png" for name, text in texts.items() if len(text) <= QR_CHARACTERS_MAX}
    for name, path in files.items():
        write_png(texts[name], path)
    return {name: str(path) for name, path in files.items()}


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

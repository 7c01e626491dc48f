"""The web client's files, read once at the start and served from memory with headers that keep a browser honest.

Nothing is looked up in the file system while serving, so no address can lead out of the folder. The service worker is
served with the list of all files and their hashes before it: a phone keeps a new version only if every file of it has
the hash that the list says, so half an update can't run. Comments stay here: they are for whoever reads the source, and
on a slow phone a third of the bytes; lines keep their numbers.
"""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final

from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

SECURITY_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "worker-src 'self'; manifest-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types tikiwallet"
    ),
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
# The framework adds the charset to text.
MEDIA_TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
INDEX: Final = "index.html"
WORKER: Final = "sw.js"
VENDOR: Final = "vendor/"
GZIP_FROM_BYTES: Final = 256
TYPE_COMMENT: Final = re.compile(r"/\*\* @type [^*]*\*/ ?")
# Pages of the server, and icons that the system asks for when it installs the wallet.
NOT_KEPT_OFFLINE: Final = re.compile(r"sw\.js|start\.(html|css)|.*\.png")


class Page:
    """One file as it is served."""

    def __init__(self, content: bytes, media_type: str) -> None:
        digest = hashlib.sha256(content).digest()
        self.content = content
        self.zipped = gzip.compress(content, mtime=0) if len(content) >= GZIP_FROM_BYTES else b""
        self.media_type = media_type
        self.integrity = f"sha256-{base64.b64encode(digest).decode()}"
        self.etag = f'"{digest.hex()[:32]}"'

    def answer(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """Return the file, zipped if the browser takes that, or 304 if it has it already."""
        headers = {**SECURITY_HEADERS, "cache-control": "no-cache", "etag": self.etag, "vary": "accept-encoding"}
        if request.headers.get("if-none-match") == self.etag:
            return Response(b"", status_code=304, headers=headers)
        if self.zipped and "gzip" in request.headers.get("accept-encoding", ""):
            zipped = headers | {"content-encoding": "gzip"}
            return Response(self.zipped, media_type=self.media_type, headers=zipped)
        return Response(self.content, media_type=self.media_type, headers=headers)


def read_pages(package: str, *, made: Mapping[str, bytes]) -> dict[str, Page]:
    """Return the servable files below a package by their paths ("ui/text.js"), with those in `made` beside them.

    Files of other kinds (Python, type declarations) are left out.
    """
    found = dict(_files(resources.files(package), prefix="")) | dict(made)
    pages = {
        path: Page(_served(path, content), MEDIA_TYPES[suffix])
        for path, content in sorted(found.items())
        if (suffix := path[path.rindex(".") :] if "." in path else "") in MEDIA_TYPES
    }
    if WORKER in pages:
        pages[WORKER] = Page(_worker(pages), MEDIA_TYPES[".js"])
    return pages


def _files(folder: Traversable, *, prefix: str) -> Iterator[tuple[str, bytes]]:
    for item in folder.iterdir():
        if item.is_dir() and item.name != "__pycache__":
            yield from _files(item, prefix=f"{prefix}{item.name}/")
        elif item.is_file():
            yield f"{prefix}{item.name}", item.read_bytes()


def _served(path: str, content: bytes) -> bytes:
    is_ours = path.endswith(".js") and not path.startswith(VENDOR)
    return without_comments(content.decode()).encode() if is_ours else content


def without_comments(code: str) -> str:
    """Return JavaScript without the comments that have lines to themselves and without type casts; lines stay in place.

    For code written by STYLE.md: no line of a string begins as a comment does. A test compares both with a parser.
    """
    lines = []
    is_inside = False
    for line in code.split("\n"):
        text = line.strip()
        is_comment = is_inside or text.startswith(("//", "/*"))
        if text.startswith("/*") and not is_inside:
            is_inside = True
            is_comment = "*/" not in text or text.endswith("*/")
        if "*/" in text:
            is_inside = False
        lines.append("" if is_comment else TYPE_COMMENT.sub("", line))
    return "\n".join(lines)


def _worker(pages: Mapping[str, Page]) -> bytes:
    """Return the service worker with what it keeps: every file with its hash, and a version made of them all."""
    files = [[f"./{path}", page.integrity] for path, page in pages.items() if not NOT_KEPT_OFFLINE.fullmatch(path)]
    code = pages[WORKER].content
    version = hashlib.sha256(json.dumps(files).encode() + code).hexdigest()[:16]
    return f'const VERSION = "{version}";\nconst FILES = {json.dumps(files)};\n'.encode() + code


def routes(pages: Mapping[str, Page], *, index: str = INDEX) -> list[HTTPRouteHandler]:
    """Return a route for each file, and "/" for the file `index`."""

    def route(address: str, page: Page) -> HTTPRouteHandler:
        async def serve(request: Request[Any, Any, Any]) -> Response[bytes]:
            return page.answer(request)

        return HTTPRouteHandler(address, http_method="GET", include_in_schema=False)(serve)

    return [route("/", pages[index]), *(route(f"/{path}", page) for path, page in pages.items())]

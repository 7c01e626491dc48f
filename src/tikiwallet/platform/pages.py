"""The web client's files, read once at the start and served from memory with headers that keep a browser honest.

Nothing is looked up in the file system while serving, so no address can lead out of the folder. The service worker is
served with the list of all files and their hashes before it: a phone keeps a new version only if every file of it has
the hash that the list says, so half an update can't run.
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

# The other headers of a page are those of every answer: see `platform/browsers.py`.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "worker-src 'self'; manifest-src 'self'; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types tikiwallet"
)
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
GZIP_FROM_BYTES: Final = 256
HASHED: Final = re.compile(r"chunks/.+-[0-9A-Z]{8}\.js")  # the name of a file whose content never changes
FOR_EVER: Final = "public, max-age=31536000, immutable"
# Pages of the server, and icons that the system asks for when it installs the wallet.
NOT_KEPT_OFFLINE: Final = re.compile(r"sw\.js|start\.(html|css)|.*\.png")


class Page:
    """One file as it is served."""

    def __init__(self, content: bytes, media_type: str, *, cache_control: str = "no-cache") -> None:
        digest = hashlib.sha256(content).digest()
        self.content = content
        self.zipped = gzip.compress(content, mtime=0) if len(content) >= GZIP_FROM_BYTES else b""
        self.media_type = media_type
        self.cache_control = cache_control
        self.integrity = f"sha256-{base64.b64encode(digest).decode()}"
        self.etag = f'"{digest.hex()[:32]}"'

    def answer(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """Return the file, zipped if the browser takes that, or 304 if it has it already."""
        headers = {
            "content-security-policy": CONTENT_SECURITY_POLICY,
            "cache-control": self.cache_control,
            "etag": self.etag,
            "vary": "accept-encoding",
        }
        if request.headers.get("if-none-match") == self.etag:
            return Response(b"", status_code=304, headers=headers)
        if self.zipped and "gzip" in request.headers.get("accept-encoding", ""):
            zipped = headers | {"content-encoding": "gzip"}
            return Response(self.zipped, media_type=self.media_type, headers=zipped)
        return Response(self.content, media_type=self.media_type, headers=headers)


def read_files(package: str) -> dict[str, bytes]:
    """Return every file below a package by its path ("ui/text.js")."""
    return dict(_files(resources.files(package), prefix=""))


def pages_of(files: Mapping[str, bytes]) -> dict[str, Page]:
    """Return the servable ones of some files. Those of other kinds (Python, type declarations) are left out."""
    pages = {
        path: Page(content, MEDIA_TYPES[suffix], cache_control=FOR_EVER if HASHED.fullmatch(path) else "no-cache")
        for path, content in sorted(files.items())
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


def _worker(pages: Mapping[str, Page]) -> bytes:
    """Return the service worker with what it keeps: every file with its hash, and a version made of them all."""
    files = [[f"./{path}", page.integrity] for path, page in pages.items() if not NOT_KEPT_OFFLINE.fullmatch(path)]
    code = pages[WORKER].content
    version = hashlib.sha256(json.dumps(files).encode() + code).hexdigest()[:16]
    return f'const VERSION = "{version}";\nconst FILES = {json.dumps(files)};\n'.encode() + code


def routes(pages: Mapping[str, Page], *, index: str = INDEX, below: str = "") -> list[HTTPRouteHandler]:
    """Return a route for each file below an address ("/operator"), and the address itself for the file `index`."""
    by_address = {below or "/": pages[index], **{f"{below}/{path}": page for path, page in pages.items()}}

    async def serve(request: Request[Any, Any, Any]) -> Response[bytes]:
        return by_address[request.scope["path"]].answer(request)

    return [HTTPRouteHandler(list(by_address), http_method="GET", include_in_schema=False)(serve)]

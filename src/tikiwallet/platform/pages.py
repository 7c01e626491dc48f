"""Static pages with the headers that keep a browser from running or loading anything else."""

from importlib import resources

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "worker-src 'self'; manifest-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
MEDIA_TYPES = {".html": "text/html", ".css": "text/css"}


def page(path: str, *, package: str, file: str) -> HTTPRouteHandler:
    """Return a route that serves one file of `package`, read once."""
    content = resources.files(package).joinpath(file).read_bytes()
    media_type = MEDIA_TYPES[file[file.rindex(".") :]]

    @get(path, include_in_schema=False, sync_to_thread=False)
    def serve() -> Response[bytes]:
        return Response(content, media_type=media_type, headers={"cache-control": "no-cache", **SECURITY_HEADERS})

    return serve

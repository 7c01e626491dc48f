"""How much a request may take before it is whole: bytes of its head, and time.

uvicorn waits for ever and keeps whatever comes: one client could fill the memory with a header that never ends, or hold
every connection with requests that are sent a byte a minute. The limits are far above what the slowest honest phone
needs. How large a body may be is for the routes to say (`platform/http.py`), and how many requests for `throttle.py`.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX: Final = 65_536  # and what one more read of the socket brings
HEAD_SECONDS_MAX: Final = 20  # from the connection, or the first byte of a later request
REQUEST_SECONDS_MAX: Final = 180  # with its body: a megabyte at 50 kbit/s


class BoundedProtocol(HttpToolsProtocol):
    """A connection that knows since when it waits for a request to be whole, and how large its head is so far."""

    waits_since: float | None = None  # the loop's clock; None: for nothing
    is_in_head = True
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self.waits_since = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Take what came, as long as the head isn't too large."""
        super().data_received(data)
        if self.is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self.end(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        """Begin to wait for a head."""
        self.waits_since = self.loop.time()
        self.is_in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Wait for the body from now on."""
        self.is_in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Wait for nothing: the request is whole."""
        self.waits_since = None
        super().on_message_complete()

    def end(self, status: bytes) -> None:
        """Say why, and close the connection. A handler that reads the body finds that it ended."""
        self.waits_since = None
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()


def end_what_takes_too_long(connections: Iterable[object], *, now: float) -> None:
    """End every connection that has waited longer than it may at `now` (the loop's clock)."""
    for connection in list(connections):
        assert isinstance(connection, BoundedProtocol), connection
        seconds_max = HEAD_SECONDS_MAX if connection.is_in_head else REQUEST_SECONDS_MAX
        if connection.waits_since is not None and now - connection.waits_since > seconds_max:
            connection.end(b"408 Request Timeout")

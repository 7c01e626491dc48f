"""Text messages: one port, and the two senders that need no telephone company (`twilio_sms.py` has one).

Messages are sent after the commit of what they speak of: a code that a person holds is always one that we know.
"""

import asyncio
import errno
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec

from tikiwallet.platform.errors import Kind, Refused

RETRY_AFTER_SECONDS = 5


class SmsUnavailable(Refused):
    """We couldn't send the text message; ask again in a moment."""

    code, kind = "sms_unavailable", Kind.UNAVAILABLE


class SmsSender(Protocol):
    """Sends a text message."""

    async def send(self, *, phone: str, text: str, now: datetime) -> None:
        """Send `text` to `phone` (E.164). Raises `SmsUnavailable` if it wasn't taken for delivery."""
        ...


class SmsLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the file that `FileSms` writes."""

    phone: str
    text: str


class FileSms:
    """Appends each message to a file, one JSON object a line: for tests and for trying the wallet out."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send(self, *, phone: str, text: str, now: datetime) -> None:  # noqa: ARG002
        """Append the message; it is on the disk when this returns. Raises `SmsUnavailable` if that fails."""
        line = msgspec.json.encode(SmsLine(phone=phone, text=text)) + b"\n"
        try:
            await asyncio.to_thread(self._append, line)
        except OSError as error:
            raise SmsUnavailable(retry_after_seconds=RETRY_AFTER_SECONDS) from error

    def _append(self, line: bytes) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            if os.write(handle, line) != len(line):  # one write, so that lines of two processes don't mix
                raise OSError(errno.ENOSPC, "the message was cut off")
            os.fsync(handle)
        finally:
            os.close(handle)


class ConsoleSms:
    """Prints each message where the server was started: for trying the wallet out. Refused in production."""

    async def send(self, *, phone: str, text: str, now: datetime) -> None:  # noqa: ARG002
        """Print the message to standard output, marked as a demonstration."""
        sys.stdout.write(f"\n  [demo text message to {phone}]\n  {text}\n\n")
        sys.stdout.flush()

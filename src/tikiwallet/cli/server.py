"""The server as this client sees it: one call, strict about answers, and honest about what is unknown.

A call that moves money may be lost on the way there or on the way back, and the caller can't tell which. So its
Idempotency-Key is stored before the call (`Online.moving_money`) and used again until there is an answer.
"""

import base64
import binascii
import ipaddress
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec
import urllib3

from tikiwallet.cli.answers import Nothing, ProblemSaid
from tikiwallet.cli.keeping_up import signed_in
from tikiwallet.cli.problems import (
    AskedBefore,
    NotSignedIn,
    ServerNotSafe,
    ServerSaidNo,
    ServerUnexpected,
    ServerUnreachable,
)
from tikiwallet.cli.wallet_folder import Wallet

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 60.0  # a sync verifies many signatures
ANSWER_BYTES_MAX: Final = 8_000_000
KEY_BYTES: Final = 16
ON_ITS_WAY_SECONDS: Final = 600  # how long a lost call may still reach the server
JUST_NOW_SECONDS: Final = 10  # between what a call did and its answer

T = TypeVar("T")


class Server:
    """Calls to one server."""

    def __init__(self, url: str) -> None:
        """Problems: `ServerNotSafe` for plain http:// to another machine, `ServerUnexpected` for no address at all."""
        self.url = checked_url(url)
        self.answered_at: datetime | None = None  # by the server's own clock, of the last answer that said so
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        self._pool = urllib3.PoolManager(timeout=timeout, retries=False)

    def call(
        self, method: str, path: str, answer: type[T], *, body: object = None, token: str = "", key: str = "",
        query: dict[str, str] | None = None, device: str = "",
    ) -> T:  # fmt: skip
        """Send one call and return what the server answers, decoded.

        Problems: `ServerUnreachable` (the outcome is unknown), `ServerUnexpected`, `ServerSaidNo` with the server's own
        code and sentence, `NotSignedIn` if it takes the session no longer.
        """
        content = self._content(method, path, body=body, token=token, key=key, query=query, device=device)
        try:
            return msgspec.json.decode(content or b"{}", type=answer)
        except msgspec.DecodeError as error:
            raise ServerUnexpected(server=self.url) from error

    def file(self, path: str, *, token: str, query: dict[str, str]) -> bytes:
        """Return a file of mine. Problems: those of `call`."""
        return self._content("GET", path, body=None, token=token, query=query)

    def _content(
        self, method: str, path: str, *, body: object, token: str, query: dict[str, str] | None, key: str = "",
        device: str = "",
    ) -> bytes:  # fmt: skip
        headers = {"accept": "application/json", "user-agent": "tiki"}
        if body is not None:
            headers["content-type"] = "application/json"
        if token:
            headers["authorization"] = f"Bearer {token}"
        if key:
            headers["idempotency-key"] = key
        if device:
            headers["tikiwallet-device"] = device
        try:
            response = self._pool.request(
                method, self.url + path, headers=headers, fields=query, preload_content=False, redirect=False,
                body=None if body is None else msgspec.json.encode(body),
            )  # fmt: skip
            try:
                content = response.read(ANSWER_BYTES_MAX + 1, decode_content=True)
            finally:
                response.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise ServerUnreachable(server=self.url) from error
        self.answered_at = _date(response.headers.get("date", ""))
        if response.status >= 400:
            raise refusal(response.status, content, retry_after=response.headers.get("retry-after", ""))
        if not 200 <= response.status < 300 or len(content) > ANSWER_BYTES_MAX:
            raise ServerUnexpected(server=self.url)
        return content


def checked_url(url: str) -> str:
    """Return a server's address without a slash at the end. Problems: `ServerNotSafe`, `ServerUnexpected`."""
    parts = urlsplit(url.strip().rstrip("/"))
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ServerUnexpected("This isn't the address of a server. Write it as https://wallet.example with --server.")
    if parts.scheme == "http" and not _is_this_machine(parts.hostname):
        raise ServerNotSafe
    return parts.geturl()


def _date(header: str) -> datetime | None:
    """Return what a Date header says; None for one that can't be read."""
    try:
        return parsedate_to_datetime(header).astimezone(UTC)
    except ValueError:
        return None


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refusal(status: int, content: bytes, *, retry_after: str) -> ServerSaidNo | ServerUnexpected | NotSignedIn:
    """Return the problem that an answer with an error status says."""
    try:
        said = msgspec.json.decode(content, type=ProblemSaid)
    except msgspec.DecodeError:
        return ServerUnexpected(status=status)
    if said.code in {"session_missing", "session_invalid"}:
        return NotSignedIn()
    facts: dict[str, str | int] = {"field": said.field} if said.field else {}
    if said.incident_id:
        facts["incident_id"] = said.incident_id
    if retry_after.isdecimal():
        facts["retry_after_seconds"] = int(retry_after)
    return ServerSaidNo(said.code, said.detail, status=status, **facts)


class Online:
    """A wallet with its server: signed-in calls."""

    def __init__(self, wallet: Wallet, server: Server) -> None:
        self.wallet = wallet
        self.server = server

    def check_signed_in(self) -> None:
        """Return if there is a session, without asking the server. Problem: `NotSignedIn`."""
        if self.wallet.session() is None:
            raise NotSignedIn

    def get(self, path: str, answer: type[T], **query: str) -> T:
        """Read something of mine. Problems: those of `Server.call`."""
        return signed_in(self.wallet, self.server, lambda token: self.server.call(
            "GET", path, answer, token=token, query=query or None
        ))  # fmt: skip

    def file(self, path: str, **query: str) -> bytes:
        """Read a file of mine. Problems: those of `Server.call`."""
        return signed_in(self.wallet, self.server, lambda token: self.server.file(path, token=token, query=query))

    def post(self, path: str, answer: type[T], *, body: object = None) -> T:
        """Change something that moves no money. Problems: those of `Server.call`."""
        return signed_in(self.wallet, self.server, lambda token: self.server.call(
            "POST", path, answer, body=body, token=token
        ))  # fmt: skip

    def delete(self, path: str) -> None:
        """End something. Problems: those of `Server.call`."""
        signed_in(self.wallet, self.server, lambda token: self.server.call("DELETE", path, Nothing, token=token))

    def moving_money(
        self, path: str, answer: type[T], *, body: object, keep: Callable[[T], object] | None = None,
        moved_at: Callable[[T], datetime] | None = None,
    ) -> T:  # fmt: skip
        """Move money at most once: the key is stored before the call and kept until the outcome is known.

        Asking again with the same words while the outcome is unknown is the same payment, also after a crash. `keep`
        stores what this wallet needs of the answer; the outcome counts as known only after that. A repetition leaves
        the notice `AskedBefore`, and `moved_at` reads from the answer when the money really moved. Problems: those of
        `Server.call` and of `keep`.
        """
        self.check_signed_in()
        store = self.wallet.store
        words = json.dumps(msgspec.to_builtins(body), sort_keys=True)
        same = {"person_id": store.setting("person_id"), "address": path, "body": words}
        row, now = store.row("unsettled_call", **same), self.wallet.edge.now()
        key = row["idempotency_key"] if row else self.wallet.edge.random_bytes(KEY_BYTES).hex()
        store.run("keep_unsettled_call", **same, idempotency_key=key, asked_at=now)
        try:
            done = signed_in(self.wallet, self.server, lambda token: self.server.call(
                "POST", path, answer, body=body, token=token, key=key
            ))  # fmt: skip
        except ServerSaidNo as said:
            # If an earlier call with this key was lost a moment ago, it may arrive after this refusal and succeed.
            # Then it has to be the same payment as the next try; so the key is kept until it can't be on its way.
            may_still_arrive = row is not None and now - row["asked_at"] < ON_ITS_WAY_SECONDS
            # Asked too often, the server hasn't looked whether it was paid when it was asked before.
            is_final = said.status < 500 and said.status != 429
            if is_final and not may_still_arrive:
                store.run("settle_call", idempotency_key=key)
            raise
        if keep is not None:
            keep(done)
        store.run("settle_call", idempotency_key=key)
        if row is not None:
            self.wallet.notices.append(self._asked_before(moved_at(done) if moved_at is not None else None))
        return done

    def _asked_before(self, moved_at: datetime | None) -> AskedBefore:
        """Return the notice about a repetition; by the server's clock alone, since a phone's may be wrong."""
        answered_at = self.server.answered_at
        if moved_at is None or answered_at is None or answered_at - moved_at < timedelta(seconds=JUST_NOW_SECONDS):
            return AskedBefore()
        local = moved_at.astimezone()
        at = f"{local.day} {local:%b %Y, %H:%M}"
        return AskedBefore(f"{AskedBefore.sentence()} Nothing moved now: that was on {at}.")


def to_base64url(data: bytes) -> str:
    """Return bytes as the API writes them: base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Return the bytes of an API text. Problem: `ServerUnexpected`."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ServerUnexpected from error

"""A request that never becomes whole costs little memory and no connection for long."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import structlog

from platform_parts import Served, sending, status
from tikiwallet.platform import patience

HEAD = b"POST /v1/sessions HTTP/1.1\r\nhost: wallet.test\r\ncontent-type: application/json\r\ncontent-length: 100\r\n"


async def until(fact: Callable[[], bool]) -> None:
    while not fact():  # noqa: ASYNC110  (uvicorn has no event for it)
        await asyncio.sleep(0)


async def waits_for(served: Served, *, head: bool) -> None:
    """Wait until the server has read what was sent."""

    def has_it(connection: Any) -> bool:
        return connection.is_in_head == head and (not head or connection.headers is not None)

    await until(lambda: any(has_it(connection) for connection in served.state.connections))


async def test_a_head_that_never_ends_is_cut_off(served: Served) -> None:
    async with sending(served, HEAD) as (reader, writer):
        with contextlib.suppress(ConnectionError):
            for _ in range(1 + patience.HEAD_BYTES_MAX // 1000):
                writer.write(b"x-more: " + b"y" * 1000 + b"\r\n")
                await writer.drain()
        assert await status(reader) == b"431"


async def test_one_header_that_never_ends_is_cut_off(served: Served) -> None:
    async with sending(served, HEAD + b"x-more: ") as (reader, writer):
        with contextlib.suppress(ConnectionError):
            for _ in range(1 + patience.HEAD_BYTES_MAX // 1000):
                writer.write(b"y" * 1000)
                await writer.drain()
        assert await status(reader) == b"431"


async def test_who_connects_and_says_nothing_is_let_go(served: Served) -> None:
    async with sending(served, b"") as (reader, _):
        await until(lambda: bool(served.state.connections))
        served.later(patience.HEAD_SECONDS_MAX - 1)
        assert len(served.state.connections) == 1
        served.later(patience.HEAD_SECONDS_MAX + 1)
        assert await status(reader) == b"408"


async def test_a_head_a_byte_at_a_time_has_its_time(served: Served) -> None:
    async with sending(served, HEAD) as (reader, _):
        await waits_for(served, head=True)
        served.later(patience.HEAD_SECONDS_MAX + 1)
        assert await status(reader) == b"408"


async def test_a_body_that_never_comes_is_no_bug_and_holds_nothing(served: Served) -> None:
    async with sending(served, HEAD + b"\r\n{") as (reader, _):
        await waits_for(served, head=False)
        served.later(patience.HEAD_SECONDS_MAX + 1)  # a body has more time than a head
        assert len(served.state.connections) == 1
        with structlog.testing.capture_logs() as logs:
            served.later(patience.REQUEST_SECONDS_MAX + 1)
            assert await status(reader) == b"408"
            await until(lambda: not served.state.tasks)
        assert logs == []


async def test_a_whole_request_is_answered_however_late_it_is(served: Served) -> None:
    async with sending(served, b"GET /healthz HTTP/1.1\r\nhost: wallet.test\r\n\r\n") as (reader, writer):
        assert await status(reader) == b"200"
        served.later(10_000)
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: wallet.test\r\n\r\n")
        found = await reader.readuntil(b'{"status":"ok"}')
        assert b"200" not in found.split(b"\r\n")[0]  # the rest of the first answer
        assert await status(reader) == b"200"

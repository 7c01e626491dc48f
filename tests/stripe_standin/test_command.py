"""`tikiwallet stripe-standin`, as people start it."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import stripe

from processes import OPERATORS, run
from stripe_standin.client import Client
from tikiwallet.stripe_standin.standin import API_KEY
from tikiwallet.stripe_standin.store import API_VERSION

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="stopped by a signal")
PAY = {"amount": 2000, "currency": "sgd", "payment_method": "pm_card_visa", "confirm": True}


class Started:
    """The process, and Stripe's client for it by the network."""

    def __init__(self, process: asyncio.subprocess.Process, base: str, said: str) -> None:
        self.process, self.base, self.said = process, base, said
        self.client = Client(httpx.AsyncHTTPTransport())
        self.v1 = stripe.StripeClient(
            API_KEY, base_addresses={"api": base}, stripe_version=API_VERSION, max_network_retries=0,
            http_client=self.client,
        ).v1  # fmt: skip

    async def stop(self) -> None:
        await self.client.close_async()
        self.process.send_signal(signal.SIGTERM)
        await self.process.wait()


async def start(*options: str) -> Started:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tikiwallet", "stripe-standin", "--port", "0", *options,
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    said = (await process.stdout.readuntil(b"Ctrl-C\n")).decode()
    found = re.search(r"TIKIWALLET_STRIPE_API_URL=(\S+)", said)
    assert found, said
    return Started(process, found[1], said)


@pytest.fixture
async def webhook() -> AsyncIterator[tuple[str, asyncio.Queue[tuple[bytes, str]]]]:
    """An address that takes webhooks, and what it has taken."""
    taken: asyncio.Queue[tuple[bytes, str]] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:-2])
        body = await reader.readexactly(int(headers["content-length"]))
        await taken.put((body, headers["stripe-signature"]))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook", taken
    server.close()
    await server.wait_closed()


async def test_it_serves_signs_falls_silent_and_remembers(
    tmp_path: Path, webhook: tuple[str, asyncio.Queue[tuple[bytes, str]]]
) -> None:
    url, taken = webhook
    options = ("--state", str(tmp_path / "state.json"), "--webhook", url, "--secret", "whsec_a", "--secret", "whsec_b")
    started = await start(*options)
    try:
        assert f"TIKIWALLET_STRIPE_KEY={API_KEY}" in started.said
        assert "WEBHOOK_SECRETS=whsec_a,whsec_b" in started.said
        async with httpx.AsyncClient(base_url=started.base) as browser:
            fault = [{"path": "/v1/payment_intents", "kind": "lose_after"}]
            assert (await browser.post("/_control/faults", json=fault)).status_code == 200
            with pytest.raises(httpx.ReadTimeout):  # silent, as a network is that lost the answer
                await browser.post(
                    "/v1/payment_intents", data={**PAY, "confirm": "true"}, timeout=0.5,
                    headers={"authorization": f"Bearer {API_KEY}", "idempotency-key": "k"},
                )  # fmt: skip
            bad = await browser.post("/_control/faults", json=[{"kind": "explode"}])
            assert (bad.status_code, "fail_before" in bad.text) == (400, True)
        for kind in ("payment_intent.created", "charge.succeeded", "payment_intent.succeeded"):
            payload, header = await asyncio.wait_for(taken.get(), 10)
            for secret in ("whsec_a", "whsec_b"):
                assert stripe.Webhook.construct_event(payload, header, secret, api_key="x").type == kind
    finally:
        await started.stop()
    started = await start("--state", str(tmp_path / "state.json"))
    try:
        (intent,) = (await started.v1.payment_intents.list_async()).data
        again = await started.v1.payment_intents.create_async(PAY, {"idempotency_key": "k"})
        assert again.id == intent.id
    finally:
        await started.stop()


def test_a_port_or_a_file_that_cannot_be_used_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{}")
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen()
        for options, sentence in (
            (["--port", str(used.getsockname()[1])], "choose another with --port"),
            (["--port", "0", "--state", str(tmp_path / "state.json")], "holds no state of a stand-in"),
        ):
            ran = run(OPERATORS, "stripe-standin", *options, environment=os.environ)
            assert ran.returncode == 1
            assert sentence in ran.stderr
            assert len(ran.stderr.splitlines()) == 1

"""What goes over the wire: only TLS that is good enough, and requests whose end everybody agrees on."""

import ssl
from pathlib import Path

import pytest
from litestar import Litestar

from platform_parts import Served, sending, status
from tikiwallet.platform import local_certificate
from tikiwallet.platform.http import utc_now
from tikiwallet.platform.serving import server_config
from world import settings_for_tests


def test_tls_is_new_and_every_cipher_has_forward_secrecy(tmp_path: Path) -> None:
    made = local_certificate.make(["localhost"], now=utc_now())
    _, chain, key = local_certificate.write(made, tmp_path)
    config = server_config(Litestar([]), settings_for_tests(tmp_path, tls_cert=str(chain), tls_key=str(key)))
    config.load()
    context = config.ssl
    assert isinstance(context, ssl.SSLContext)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.maximum_version == ssl.TLSVersion.MAXIMUM_SUPPORTED
    ciphers = context.get_ciphers()
    assert {cipher["protocol"] for cipher in ciphers} == {"TLSv1.2", "TLSv1.3"}
    assert all(cipher["aead"] for cipher in ciphers)
    assert all(cipher["kea"] in {"kx-ecdhe", "kx-any"} for cipher in ciphers)  # 1.3 has no other


HEAD = b"POST /v1/sessions HTTP/1.1\r\nhost: wallet.test\r\ncontent-type: application/json\r\n"


@pytest.mark.parametrize(
    "smuggled",
    [
        HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/me HTTP/1.1\r\n\r\n",
        HEAD + b"content-length: 5\r\ncontent-length: 6\r\n\r\n{}    ",
        HEAD + b"content-length: +5\r\n\r\n{}   ",
        HEAD + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        HEAD + b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nhost: wallet.test\r\nx-a: 1\n x-b: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost : wallet.test\r\n\r\n",
        b"GET / HTTP/1.1\nhost: wallet.test\nx\x00y: 1\n\n",
    ],
)
async def test_a_request_that_two_could_end_at_different_places_is_refused(served: Served, smuggled: bytes) -> None:
    async with sending(served, smuggled) as (reader, _):
        assert await status(reader) == b"400"
        rest = await reader.read()
        assert b"HTTP/1.1" not in rest  # nothing behind it was answered

"""The web client's files as a browser gets them: whole, with their headers, and nothing else of the disk."""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterator

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from tikiwallet.platform import pages

SOURCES = {path: content for path, content in pages.read_files("tikiwallet.web").items() if "dist/" not in path}
HASHED = {"chunks/pay-4N6I4HU7.js": b"export const one = 1;\n"}
FILES = {**SOURCES, **HASHED, "wallet.json": b'{"currencies":[]}'}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient[Litestar]]:
    with TestClient(Litestar(pages.routes(pages.pages_of(FILES)), openapi_config=None)) as opened:
        yield opened


def test_the_wallet_is_at_the_root_with_headers_that_let_nothing_else_run(client: TestClient[Litestar]) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-security-policy"] == pages.CONTENT_SECURITY_POLICY
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.text == client.get("/index.html").text
    assert not re.search(r"<script>|style=|\son\w+=|https?://", answer.text)


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/tikicash/rules.js", "text/javascript; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/logo.svg", "image/svg+xml"),
        ("/logo-192.png", "image/png"),
        ("/manifest.webmanifest", "application/manifest+json"),
        ("/locales/en.json", "application/json"),
        ("/wallet.json", "application/json"),
    ],
)
def test_every_file_has_its_media_type(client: TestClient[Litestar], path: str, media_type: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)


@pytest.mark.parametrize(
    "path",
    ["/setup.py", "/http.py", "/__init__.py", "/vendor/ui.d.ts", "/../app.py", "/%2e%2e/app.py", "/tikicash/../http.py",
     "/tikicash", "/nothing.js", "//etc/passwd"],
)  # fmt: skip
def test_nothing_else_is_served(client: TestClient[Litestar], path: str) -> None:
    assert client.get(path).status_code == 404


def test_files_are_only_read(client: TestClient[Litestar]) -> None:
    assert client.post("/app.js", content=b"x").status_code == 405


def test_a_browser_that_has_a_file_is_told_so(client: TestClient[Litestar]) -> None:
    etag = client.get("/app.js").headers["etag"]
    again = client.get("/app.js", headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["content-security-policy"]


def test_a_file_whose_name_has_its_hash_is_asked_for_once(client: TestClient[Litestar]) -> None:
    assert "immutable" in client.get("/chunks/pay-4N6I4HU7.js").headers["cache-control"]
    for path in ("/app.js", "/sw.js", "/tikicash/rules.js", "/locales/en.json"):
        assert client.get(path).headers["cache-control"] == "no-cache"


def test_files_are_zipped_for_browsers_that_say_they_can(client: TestClient[Litestar]) -> None:
    with client.stream("GET", "/app.js", headers={"accept-encoding": "gzip"}) as zipped:
        assert zipped.headers["content-encoding"] == "gzip"
        raw = b"".join(zipped.iter_raw())
    plain = client.get("/app.js", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(raw) == plain.content
    assert plain.headers["vary"] == "accept-encoding"


def test_the_service_worker_knows_the_hash_of_every_file_that_it_keeps(client: TestClient[Litestar]) -> None:
    code = client.get("/sw.js").text
    found = re.search(r"^const FILES = (.*);$", code, re.MULTILINE)
    assert found is not None
    files = dict(json.loads(found[1]))
    assert {"./index.html", "./app.js", "./wallet.json", "./tikicash/rules.js", "./locales/en.json"} <= set(files)
    assert not {"./sw.js", "./start.html", "./logo-192.png"} & set(files)
    for path, integrity in files.items():
        digest = hashlib.sha256(client.get(path[1:]).content).digest()
        assert integrity == f"sha256-{base64.b64encode(digest).decode()}"


def test_any_change_of_any_file_is_a_new_version() -> None:
    def version(changed: dict[str, bytes]) -> str:
        return pages.pages_of({**FILES, **changed})["sw.js"].content.decode().splitlines()[0]

    assert version({}) == version({})
    assert version({}) != version({"wallet.json": b"{}"})

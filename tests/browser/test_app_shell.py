"""The app itself: it starts without a server, changes its version whole and only when told, and all can use it."""

import contextlib
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import urllib3
from playwright.sync_api import Browser, expect

from browser.phones import Phone
from browser.server import ROOT, Server

MakePhone = Callable[[str], Phone]


def test_it_starts_cold_without_a_server_and_keeps_its_key(
    shared: MakePhone, without_network: Callable[[], None]
) -> None:
    asha = shared("asha")
    before = asha.have(online_minor=1, offline_minor=1)
    without_network()
    asha.reopen()
    assert asha.minor() == before
    expect(asha.page.locator(".status.offline")).to_be_visible()
    request = asha.ask("1.00")
    assert request.startswith("TK1:")
    assert int(asha.page.locator("html").get_attribute("data-ready") or "9999") < 5000


class LoadBalancer:
    """What stands before two servers while a new release is rolled out: sends some addresses to the new one."""

    def __init__(self, old: Server, new: Server) -> None:
        self._servers = {False: old, True: new}
        self.to_new = re.compile("nothing")
        balancer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                target = balancer._servers[bool(balancer.to_new.fullmatch(self.path))]
                length = int(self.headers.get("content-length", 0))
                answer = urllib3.request(
                    self.command, target.address.rstrip("/") + self.path, headers=dict(self.headers.items()),
                    body=self.rfile.read(length), decode_content=False,
                )  # fmt: skip
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in {"date", "server", "content-length", "transfer-encoding"}:
                        self.send_header(name, value)
                self.send_header("content-length", str(len(answer.data)))
                with contextlib.suppress(ConnectionError):  # a page that starts anew waits for nothing any more
                    self.end_headers()
                    self.wfile.write(answer.data)

            do_POST = do_GET  # noqa: N815 - the name is http.server's

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://localhost:{self._http.server_port}/"
        self.code_sent_to = old.code_sent_to
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture(scope="module")
def next_release(tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], str]) -> Iterator[Server]:
    """The next release, where "Pay" is called otherwise."""
    folder = tmp_path_factory.mktemp("next")
    shutil.copytree(ROOT / "src", folder / "src")
    catalogue = folder / "src" / "tikiwallet" / "web" / "locales" / "en.json"
    catalogue.write_text(json.dumps({**json.loads(catalogue.read_text()), "pay": "Pay somebody"}))
    new = Server(folder / "data", source=folder / "src", database_url=new_database())
    new.start()
    yield new
    new.stop()


@pytest.fixture
def rollout(server: Server, next_release: Server) -> Iterator[LoadBalancer]:
    """Two servers: the wallet as it is, and the next release."""
    balancer = LoadBalancer(server, next_release)
    yield balancer
    balancer.close()


# The old release goes when the new one has taken over, which may be a moment after its first screen.
ONE_RELEASE = "async () => (await caches.keys()).length === 1"
# Looks for a newer version and tells what became of it: "installed" waits, "redundant" was thrown away.
FATE_OF_UPDATE = """async () => {
  const registration = await navigator.serviceWorker.getRegistration();
  const found = new Promise((resolve) => registration.addEventListener("updatefound", () => resolve()));
  registration.update().catch(() => undefined);
  await found;
  const worker = registration.installing;
  while (worker.state === "installing") {
    await new Promise((resolve) => worker.addEventListener("statechange", resolve, { once: true }));
  }
  return worker.state;
}"""


# Presses, and asks the server for something in the same milliseconds: Chromium then puts the change off.
UPDATE_WHILE_ASKING = """() => {
  document.querySelector('[data-name="update"]').click();
  for (let ms = 0; ms < 10; ms++) setTimeout(() => fetch("/v1/me"), ms);
}"""


def installed_next_release(asha: Phone, rollout: LoadBalancer) -> None:
    """Have the next release ready on a phone, beside the old one."""
    asha.sign_up()
    rollout.to_new = re.compile("(?!/v1/).*")
    assert asha.page.evaluate(FATE_OF_UPDATE) == "installed"
    expect(asha.page.get_by_text("A newer version is ready.")).to_be_visible()


def test_a_newer_version_waits_until_the_person_wants_it(browser: Browser, rollout: LoadBalancer) -> None:
    asha = Phone(browser, rollout, "asha_of_two_releases")
    installed_next_release(asha, rollout)
    asha.page.reload()
    expect(asha.page.get_by_role("link", name="Pay", exact=True)).to_be_visible()  # still the old one
    window = asha.context.new_page()
    window.goto(rollout.address)
    expect(window.get_by_text("A newer version is ready.")).to_be_visible()
    asha.page.locator('[data-name="update"]').click()
    expect(asha.page.get_by_role("link", name="Pay somebody")).to_be_visible()
    asha.page.wait_for_function(ONE_RELEASE)
    expect(window.get_by_role("link", name="Pay", exact=True)).to_be_visible()  # it may be in the middle of something
    window.locator('[data-name="update"]').click()
    expect(window.get_by_role("link", name="Pay somebody")).to_be_visible()
    asha.check()
    asha.context.close()


def test_a_newer_version_comes_however_busy_the_old_one_is(browser: Browser, rollout: LoadBalancer) -> None:
    asha = Phone(browser, rollout, "asha_in_a_hurry")
    installed_next_release(asha, rollout)
    asha.page.evaluate(UPDATE_WHILE_ASKING)
    expect(asha.page.get_by_role("link", name="Pay somebody")).to_be_visible()
    asha.page.wait_for_function(ONE_RELEASE)
    asha.check()
    asha.context.close()


def test_a_bad_update_is_discarded_whole(browser: Browser, rollout: LoadBalancer) -> None:
    asha = Phone(browser, rollout, "asha_of_half_a_release")
    asha.sign_up()
    kept = asha.page.evaluate("() => caches.keys()")
    rollout.to_new = re.compile("/sw.js")  # half of the servers have the new release
    assert asha.page.evaluate(FATE_OF_UPDATE) == "redundant"
    assert asha.page.evaluate("() => caches.keys()") == kept
    asha.page.reload()
    expect(asha.page.get_by_role("link", name="Pay", exact=True)).to_be_visible()
    asha.context.close()


def test_a_whole_payment_by_names_and_roles_alone(shared: MakePhone) -> None:
    asha, ben = shared("asha"), shared("ben")
    asha.have(offline_minor=300)
    asha.go("home")
    request = ben.ask("3.00")
    page = asha.page
    page.get_by_role("heading", name="Newest").wait_for()
    page.get_by_role("navigation", name="Pay or get paid").get_by_role("link", name="Pay", exact=True).press("Enter")
    page.get_by_text("Without a camera").press("Enter")
    page.get_by_role("textbox", name="Paste the code as text").fill(request)
    page.get_by_role("button", name="Use this code").press("Enter")
    expect(page.get_by_role("button", name="Pay", exact=True)).to_be_enabled()
    page.get_by_role("button", name="Pay", exact=True).press("Enter")
    payment = page.get_by_role("img", name="Payment code for the payee to scan").get_attribute("data-code")
    assert payment is not None
    ben.page.get_by_role("button", name="Scan the payment").press("Enter")
    ben.page.get_by_text("Without a camera").press("Enter")
    ben.page.get_by_role("textbox", name="Paste the code as text").fill(payment)
    ben.page.get_by_role("button", name="Use this code").press("Enter")
    expect(ben.page.get_by_role("heading", name="At your risk")).to_be_visible()
    ben.page.get_by_role("button", name="Accept").press("Enter")
    expect(ben.page.get_by_role("img", name="Receipt code for the payer to scan")).to_be_visible()

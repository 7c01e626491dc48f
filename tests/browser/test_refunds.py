"""The web wallet gives back and takes back: its own modules in a real browser, with real keys and a real database."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route
from tests.cli.operator_of_tests import SGD, Operator

from browser.server import ROOT, Server
from tikicash.messages import Opening
from tikiwallet.offline.wire import to_base64url

WEB = ROOT / "src" / "tikiwallet" / "web"
# Runs a function of a wallet module; what it throws comes back as a code.
CALL = """async ([module, name, args]) => {
  const { parseCode } = await import("/tikicash/messages.js");
  const read = (arg) => (typeof arg === "string" && arg.startsWith("TK1:") ? parseCode(arg) : arg);
  try {
    const found = await (await import(`/wallet/${module}.js`))[name](...args.map(read));
    return { found: JSON.parse(JSON.stringify(found ?? null)) };
  } catch (error) {
    if (typeof error.code !== "string") throw error;
    return { code: error.code };
  }
}"""
PAY = """async ([code, currency]) => {
  const { parseCode } = await import("/tikicash/messages.js");
  const { pay, readRequest } = await import("/wallet/paying.js");
  return pay(await readRequest(parseCode(code), currency), "");
}"""


def serve_sources(route: Route) -> None:
    """Answer with a module as it is written: the server itself has only the bundle."""
    file = WEB / route.request.url.split("/", 3)[3]
    route.fulfill(body=file.read_text(), content_type="text/javascript")


class Wallet:
    """One phone's wallet, without screens."""

    def __init__(self, page: Page, operator: Operator, name: str, *, may_hand_on: bool = True) -> None:
        self.page, self.operator, self.name = page, operator, name
        network = {
            "network_id": operator.net,
            "root_key": to_base64url(operator.root.public_key),
            "operator_key": to_base64url(operator.issuer.public_key),
        }
        self.does("trust", "pinNetwork", network)
        self.key = bytes.fromhex(self.does("keys", "currentKey")["public_key"])
        certificate, opening = operator.certificate(self.key, name=name, may_hand_on=may_hand_on)
        self.learn(
            issuer_keys=[to_base64url(operator.issuer_key.to_bytes())],
            signed_time=to_base64url(operator.time().to_bytes()),
            revocations=to_base64url(operator.revocations().to_bytes()),
            certificate=to_base64url(certificate.to_bytes()),
            certificate_opening=said(opening),
        )

    def learn(self, **documents: Any) -> None:
        self.does("trust", "learn", documents)

    def load(self, amount_minor: int) -> None:
        voucher, opening = self.operator.voucher(self.key, amount_minor, name=self.name)
        self.learn(vouchers=[{"voucher": to_base64url(voucher.to_bytes()), "opening": said(opening)}])

    def call(self, module: str, name: str, *args: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.page.evaluate(CALL, [module, name, list(args)])
        return answer

    def does(self, module: str, name: str, *args: Any) -> Any:
        answer = self.call(module, name, *args)
        assert "found" in answer, (name, answer)
        return answer["found"]

    def refused(self, module: str, name: str, *args: Any) -> str:
        return str(self.call(module, name, *args).get("code"))

    def pays(self, payee: "Wallet", amount_minor: int) -> dict[str, Any]:
        """A whole payment; return the payee's record of it."""
        asked = payee.does("receiving", "ask", amount_minor, SGD)
        paid = self.page.evaluate(PAY, [asked["code"], SGD])
        taken: dict[str, Any] = payee.does("receiving", "takePayment", paid["code"])
        assert self.does("paying", "takeAnswer", taken["receipt_code"])["answer"] == "received"
        return taken

    def gives_back(self, payer: "Wallet", sale: dict[str, Any], amount_minor: int | None) -> dict[str, Any]:
        """A whole refund; return the payer's record of it."""
        shown = self.does("refunding", "giveBack", sale["payment_id"], amount_minor)
        taken: dict[str, Any] = payer.does("receiving", "takePayment", shown["code"])
        assert self.does("paying", "takeAnswer", taken["receipt_code"])["answer"] == "received"
        return taken

    def held(self) -> list[tuple[int, int]]:
        """What the book holds: minor units and depth."""
        return sorted((item["count"], item["depth"]) for item in self.does("trust", "readBook")["holdings"])


def said(opening: Opening) -> dict[str, Any]:
    return {"opens": opening.opens, "salt": to_base64url(opening.salt), "text": opening.text}


@pytest.fixture
def wallet(browser: Browser, server: Server) -> Iterator[Callable[..., Wallet]]:
    """Make a wallet: `wallet("asha")`."""
    operator, contexts = Operator(now=int(time.time())), list[BrowserContext]()

    def make(name: str, **terms: bool) -> Wallet:
        contexts.append(browser.new_context(service_workers="block"))
        contexts[-1].route("**/*.js", serve_sources)
        page = contexts[-1].new_page()
        page.goto(server.address + "start.html")
        return Wallet(page, operator, name, **terms)

    yield make
    for context in contexts:
        context.close()


def test_a_payment_is_given_back_in_parts_without_a_request(wallet: Callable[..., Wallet]) -> None:
    asha, ben = wallet("asha"), wallet("ben")
    asha.load(5000)
    sale = asha.pays(ben, 1250)
    part = ben.gives_back(asha, sale, 400)
    assert (part["refund_of"], part["is_claim_only"], part["payer_name"]) == (sale["payment_id"], False, "ben")
    assert (part["protected_minor"], part["at_risk_minor"]) == (400, 0)
    left = ben.does("refunding", "refundable", sale["payment_id"])
    assert (left["held_minor"], len(left["refunds"]), left["waiting"]) == (850, 1, None)
    assert ben.refused("refunding", "giveBack", sale["payment_id"], 851) == "not_enough_offline_money"
    ben.gives_back(asha, sale, None)
    assert ben.held() == []
    assert sum(count for count, _ in asha.held()) == 5000
    assert asha.does("receiving", "takePayment", part["code"]) == part  # the same code is the same refund


def test_a_refund_that_waits_for_its_receipt_is_shown_again(wallet: Callable[..., Wallet]) -> None:
    asha, ben = wallet("asha"), wallet("ben")
    asha.load(2000)
    sale = asha.pays(ben, 1000)["payment_id"]
    shown = ben.does("refunding", "giveBack", sale, 300)
    assert ben.does("refunding", "giveBack", sale, 300) == ben.does("refunding", "giveBack", sale, None) == shown
    assert ben.refused("refunding", "giveBack", sale, 200) == "refund_waiting"
    more = ben.does("refunding", "giveBack", sale, 200, {"again": True})
    assert more["payment_id"] != shown["payment_id"]
    assert sum(count for count, _ in ben.held()) == 500
    assert ben.does("refunding", "refundable", sale)["waiting"] is not None
    assert ben.does("refunding", "refundable", "00" * 16) is None


def test_a_till_that_may_only_receive_signs_no_refund(wallet: Callable[..., Wallet]) -> None:
    asha, till = wallet("asha"), wallet("till", may_hand_on=False)
    asha.load(2000)
    sale = asha.pays(till, 1000)
    assert till.refused("refunding", "giveBack", sale["payment_id"], None) == "may_not_hand_on"
    assert till.held() == [(1000, 1)]


def test_a_refund_of_depth_four_is_kept_as_a_claim(wallet: Callable[..., Wallet]) -> None:
    asha, ben, chi, dan = (wallet(name) for name in ("asha", "ben", "chi", "dan"))
    asha.load(900)
    for payer, payee in ((asha, ben), (ben, chi)):
        payer.pays(payee, 900)
    claim = dan.gives_back(chi, chi.pays(dan, 900), 400)
    assert (claim["is_claim_only"], claim["amount_minor"]) == (True, 400)
    assert (chi.held(), sum(count for count, _ in dan.held())) == ([(400, 4)], 500)
    waiting = json.dumps(chi.does("sync", "waiting"))
    assert claim["payment_id"] in waiting
    assert asha.refused("receiving", "takePayment", claim["code"]) == "not_for_me"

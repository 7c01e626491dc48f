"""Every "no" that the web wallet can meet is a sentence of its own catalogue, not only the server's English."""

import json
import re
from pathlib import Path

from litestar.handlers import HTTPRouteHandler

from tikicash.errors import SENTENCES
from tikiwallet.funding import http as funding_http
from tikiwallet.identity import http as identity_http
from tikiwallet.offline import http as offline_http
from tikiwallet.payments import http as payments_http

WEB = Path(__file__).parents[2] / "src" / "tikiwallet" / "web"
CALL = re.compile(r'(?:call\("(GET|POST|DELETE)",|(moveMoney)\()\s*(?:[^;"`]*\? )?["`](/v1/[^"`?]*)')


def shape(path: str) -> str:
    """A path with its ids left out: "/v1/requests/${id}/payment" and "/v1/requests/{request_id:uuid}/payment"."""
    return re.sub(r"\$?\{[^}]*\}", "*", path).rstrip("*") if path.endswith("}") else re.sub(r"\$?\{[^}]*\}", "*", path)


def handlers() -> list[HTTPRouteHandler]:
    contexts = (identity_http, payments_http, funding_http, offline_http)
    return [handler for context in contexts for handler in context.routes()]


def test_every_refusal_of_a_route_that_the_wallet_calls_is_in_its_catalogue() -> None:
    source = (WEB / "api.js").read_text()
    called = {(found[0] or "POST", shape(found[2])) for found in CALL.findall(source)}
    assert len(called) > 25
    catalogue = json.loads((WEB / "locales" / "en.json").read_text())
    missing, met = set(), set()
    for handler in handlers():
        for method in handler.http_methods & {"GET", "POST", "DELETE"}:
            for path in handler.paths:
                if (method, shape(path)) not in called:
                    continue
                met.add((method, shape(path)))
                codes = {refused.code for refused in handler.opt["operation"].refusals}
                missing |= {code for code in codes if f"code.{code}" not in catalogue and code not in SENTENCES}
    assert called - met == set()
    assert missing == set()

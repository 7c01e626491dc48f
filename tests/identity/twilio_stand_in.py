"""A Twilio of our own, on this machine only: it takes what Twilio's published description allows and nothing else.

Requests are validated by the description, and so are our own answers, so that neither side can drift from it. It can
fail before or after it has taken a message, or not answer at all.
"""

import base64
import hashlib
import hmac
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jsonschema_rs
from twilio_description import description

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "fedcba9876543210" * 2
SENDER = "+15005550006"
NO_SUCH_NUMBER = "+6591230404"
FORM = "application/x-www-form-urlencoded"


class Breach(Exception):
    """A request that the description doesn't allow."""


class Description:
    """What may be asked and answered."""

    def __init__(self) -> None:
        self._whole = _as_json_schema(description())

    def check_request(self, method: str, path: str, *, query: Mapping[str, str], form: Mapping[str, str]) -> None:
        template, path_values = self._find(path)
        operation = self._whole["paths"][template][method.lower()]
        given = {"path": path_values, "query": query}
        for place, values in given.items():
            known = {item["name"]: item for item in operation["parameters"] if item["in"] == place}
            missing = {name for name, item in known.items() if item.get("required")} - set(values)
            if missing or set(values) - set(known):
                raise Breach(f"{place}: {missing or set(values) - set(known)}")
            for name, value in values.items():
                self._validate(known[name]["schema"], _typed(value, known[name]["schema"]))
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"][FORM]["schema"]
            if set(form) - set(schema["properties"]):
                raise Breach(f"form: {set(form) - set(schema['properties'])}")
            self._validate(schema, {name: _typed(form[name], schema["properties"][name]) for name in form})
        elif form:
            raise Breach("a body")

    def check_answer(self, method: str, path: str, status: int, body: object) -> None:
        template, _ = self._find(path)
        responses = self._whole["paths"][template][method.lower()]["responses"]
        self._validate(responses[str(status)]["content"]["application/json"]["schema"], body)

    def _find(self, path: str) -> tuple[str, dict[str, str]]:
        for template in self._whole["paths"]:
            pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+?)", re.escape(template))
            if found := re.fullmatch(pattern, path):
                return template, found.groupdict()
        raise Breach(path)

    def _validate(self, schema: dict[str, Any], value: object) -> None:
        try:
            jsonschema_rs.validator_for({**schema, "components": self._whole["components"]}).validate(value)
        except jsonschema_rs.ValidationError as error:
            raise Breach(str(error)) from error


def _as_json_schema(node: Any) -> Any:
    """OpenAPI 3.0 says `nullable` where JSON Schema has a type more."""
    if isinstance(node, list):
        return [_as_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _as_json_schema(value) for key, value in node.items() if key not in {"examples", "nullable"}}
    if node.get("nullable") is True and isinstance(node.get("type"), str):
        made["type"] = [node["type"], "null"]
    return made


def _typed(text: str, schema: Mapping[str, Any]) -> object:
    if schema.get("type") == "integer" and re.fullmatch(r"-?\d+", text):
        return int(text)
    if schema.get("type") == "boolean" and text in {"true", "false"}:
        return text == "true"
    return [text] if schema.get("type") == "array" else text


class TwilioStandIn:
    """One account. `faults` are used up one a POST: "fail", "fail_after", "no_answer_after", "unreadable_after"."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.callbacks: list[str] = []  # the StatusCallback of each message
        self.breaches: list[str] = []
        self.faults: list[str] = []
        self.lists_work = True
        self.released = threading.Event()
        self.url = ""
        self._description = Description()
        self._lock = threading.Lock()

    @contextmanager
    def running(self) -> Iterator["TwilioStandIn"]:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                stand_in.serve(self, "POST")

            def do_GET(self) -> None:
                stand_in.serve(self, "GET")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self.released.set()
            server.shutdown()
            server.server_close()
            thread.join()

    def serve(self, handler: BaseHTTPRequestHandler, method: str) -> None:
        parts = urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("content-length", "0"))).decode()
        form, query = dict(parse_qsl(body, keep_blank_values=True)), dict(parse_qsl(parts.query))
        expected = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if handler.headers.get("authorization") != expected:
            _answer(handler, 401, {"code": 20003})
            return
        try:
            self._description.check_request(method, parts.path, query=query, form=form)
            if method == "POST":
                self._post(handler, parts.path, form)
            else:
                self._list(handler, parts.path, query)
        except Breach as breach:
            self.breaches.append(str(breach))
            _answer(handler, 400, {"code": 20001})

    def _post(self, handler: BaseHTTPRequestHandler, path: str, form: Mapping[str, str]) -> None:
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "fail":
            _answer(handler, 503, {"code": 20503})
            return
        if form["To"] == NO_SUCH_NUMBER:
            _answer(handler, 400, {"code": 21211})
            return
        message = self._take(form)
        self._description.check_answer("POST", path, 201, message)
        if fault == "no_answer_after":
            self.released.wait(30)  # longer than its client waits
        elif fault == "fail_after":
            _answer(handler, 500, {"code": 20500})
        elif fault == "unreadable_after":
            handler.send_response(201)
            handler.end_headers()
        else:
            _answer(handler, 201, message)

    def _take(self, form: Mapping[str, str]) -> dict[str, Any]:
        with self._lock:
            message = {
                "account_sid": ACCOUNT, "api_version": "2010-04-01", "body": form["Body"], "to": form["To"],
                "from": form.get("From"), "messaging_service_sid": form.get("MessagingServiceSid"),
                "sid": f"SM{len(self.messages):032x}", "status": "queued", "direction": "outbound-api",
                "date_created": formatdate(usegmt=True), "date_updated": formatdate(usegmt=True), "date_sent": None,
                "error_code": None, "error_message": None, "num_media": "0", "num_segments": "1", "price": None,
                "price_unit": None, "subresource_uris": {}, "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/x.json",
            }  # fmt: skip
            self.messages.append(message)
            self.callbacks.append(form.get("StatusCallback", ""))
            return message

    def _list(self, handler: BaseHTTPRequestHandler, path: str, query: Mapping[str, str]) -> None:
        if not self.lists_work:
            _answer(handler, 503, {"code": 20503})
            return
        found = [message for message in reversed(self.messages) if message["to"] == query["To"]]
        body = {"messages": found[: int(query["PageSize"])], "page": 0, "page_size": int(query["PageSize"])}
        self._description.check_answer("GET", path, 200, body)
        _answer(handler, 200, body)

    def report(self, number: int, status: str, error_code: str = "") -> tuple[str, dict[str, str], dict[str, str]]:
        """Return URL, form and headers of a signed report about a message."""
        form = {"MessageSid": self.messages[number]["sid"], "MessageStatus": status, "AccountSid": ACCOUNT,
                "To": self.messages[number]["to"]} | ({"ErrorCode": error_code} if error_code else {})  # fmt: skip
        return self.callbacks[number], form, {"x-twilio-signature": signature(self.callbacks[number], form)}


def signature(url: str, form: Mapping[str, str], token: str = TOKEN) -> str:
    """As Twilio's documentation says."""
    signed = url
    for name in sorted(form):
        signed += name + form[name]
    return base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()


def _answer(handler: BaseHTTPRequestHandler, status: int, body: object) -> None:
    content = json.dumps(body).encode()
    try:
        handler.send_response(status)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
    except (BrokenPipeError, ConnectionResetError):
        handler.close_connection = True  # who asked has given up

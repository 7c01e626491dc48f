"""A realistic day against a server of its own, played by Locust: `make load` (USERS, LOAD_SECONDS may be set).

People sign in, look, pay, move money to the phone, pay each other with no network and sync, all at once. A speed that
was reached by dropping requests or losing money would be none: any answer but the wanted one and the refusals that such
a day brings fails the run, and at the end the books are reconciled. The table is of one machine on one day.
"""

import base64
import os
import random
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import gevent
from locust import FastHttpUser, between, events, task
from locust.env import Environment
from locust.html import get_html_report
from locust.stats import stats_history

# Locust patches what opens sockets, so it comes before everything that uses them.
# isort: split
import urllib3
from cryptography.hazmat.primitives.asymmetric import ec
from demo.machines import PASSWORD, StoryBrokenError, World
from rich.console import Console
from rich.table import Table

from tikicash.chain import gather
from tikicash.cose import PrivateKeySigner
from tikicash.fields import NONCE_BYTES
from tikicash.messages import Bundle, Certificate, Payment, Piece, Signed, Voucher, key_id, parse, sign

REPORT = Path("build/load/report.html")
TOP_UP_MINOR = 500_00
LOAD_MINOR = 10_00
# What such a day brings: somebody has spent it all, or has as much on the phone as one may.
EXPECTED = frozenset({"insufficient_funds", "too_many_vouchers"})
ACTIONS = frozenset({"sign in", "balance", "history", "pay", "load", "sync"})
CURRENCY, CURRENCY_NUMBER = "SGD", 702
# People who live for a minute come from one address.
SETTINGS = {
    "TIKIWALLET_SIGN_UPS_PER_ADDRESS_MAX": "1000000",
    "TIKIWALLET_CODES_PER_ADDRESS_MAX": "1000000",
    "TIKIWALLET_SIGN_INS_PER_ADDRESS_MAX": "1000000",
}


class Phone:
    """What one person's phone holds: a key, vouchers with the units used of each, and payments to bring."""

    def __init__(self) -> None:
        self.signer = PrivateKeySigner(ec.generate_private_key(ec.SECP256R1()))
        self.device = secrets.token_urlsafe(32)  # what is known of it: it signs in with the password alone
        self.device_id = ""
        self.certificate: Signed[Certificate] | None = None
        self.vouchers: dict[bytes, Signed[Voucher]] = {}
        self.used: Counter[bytes] = Counter()
        self.to_bring: list[Bundle] = []

    def keep(self, voucher: Signed[Voucher]) -> None:
        """Put a voucher into the phone; again is no difference."""
        self.vouchers[voucher.id] = voucher

    def pay(self, payee: "Phone", amount_minor: int, *, now: int) -> bool:
        """Pay with no network out of one voucher; return whether there was one with as much."""
        for voucher in self.vouchers.values():
            body, used = voucher.body, self.used[voucher.id]
            if body.count - used >= amount_minor and now < body.spend_by:
                break
        else:
            return False
        self.used[voucher.id] += amount_minor
        payment = sign(
            Payment(
                net=body.net, currency=CURRENCY_NUMBER, total=amount_minor, payee_id=key_id(payee.signer.public_key),
                pieces=(Piece(parent_id=voucher.short_id, first=body.first + used, count=amount_minor),),
                nonce=secrets.token_bytes(NONCE_BYTES), paid_at=now, memo_commit=None,
            ),
            self.signer,
        )  # fmt: skip
        certificates = () if self.certificate is None else (self.certificate,)
        documents, gathered = gather((payment,), (*self.vouchers.values(), payment), certificates)
        payee.to_bring.append(Bundle(documents=documents, certificates=gathered))
        return True


class Person(NamedTuple):
    """Somebody who signed up before the day began."""

    username: str
    number: str
    phone: Phone


PEOPLE: list[Person] = []
NEXT: Iterator[int] = count()
REFUSED: Counter[str] = Counter()  # by the action that was refused
SETTLED: Counter[str] = Counter()  # payments made with no network, by what the server said of them


class Somebody(FastHttpUser):
    """One person's day, an hour a minute."""

    wait_time = between(0.2, 2)
    network_timeout = connection_timeout = 30.0

    def on_start(self) -> None:
        """Sign in and set the phone up, as after buying one."""
        self.me = PEOPLE[next(NEXT) % len(PEOPLE)]
        self.headers = {"content-type": "application/json", "tikiwallet-device": self.me.phone.device}
        self.refresh_at = float("inf")
        session = self.ask("sign in", "POST", "/v1/sessions", {"phone": self.me.number, "password": PASSWORD})
        self._go_on(session)
        phone = self.me.phone
        if phone.device_id:
            return
        challenge = self.ask("set up phone", "POST", "/v1/offline/devices/challenges")
        key = phone.signer.public_key
        order = {
            "challenge_id": challenge["challenge_id"], "public_key": to_base64url(key), "name": "phone",
            "signature": to_base64url(phone.signer.sign(b"TK1/device" + from_base64url(challenge["challenge"]) + key)),
            "receive_only": False,
        }  # fmt: skip
        device = self.ask("set up phone", "POST", "/v1/offline/devices", order)
        phone.certificate = parse(from_base64url(device["certificate"]))  # type: ignore[assignment]
        phone.device_id = device["device_id"]

    def ask(self, name: str, method: str, path: str, body: object = None) -> Any:
        """Ask the server; an answer that a day doesn't bring is a failure. Returns None for a refusal."""
        if time.monotonic() >= self.refresh_at:
            self.refresh_at = float("inf")
            order = {"refresh_token": self.refresh_token}
            self._go_on(self.ask("refresh", "POST", "/v1/sessions/refresh", order))
        headers = {**self.headers, "idempotency-key": secrets.token_hex(16)}
        with self.client.request(method, path, name=name, headers=headers, json=body, catch_response=True) as answer:
            if answer.status_code in {200, 201}:
                answer.success()
                return answer.json()
            code = answer.json().get("code", "") if answer.status_code else "no answer"
            if code in EXPECTED:
                REFUSED[name] += 1
                answer.success()
            else:
                answer.failure(f"{answer.status_code} {code}")
            return None

    def _go_on(self, session: Any) -> None:
        """Take the tokens of a session that was opened or refreshed."""
        self.headers["authorization"] = f"Bearer {session['token']}"
        self.refresh_token: str = session["refresh_token"]
        self.refresh_at = time.monotonic() + session["token_ttl_seconds"] - 60

    def somebody_else(self) -> Person:
        """Pick whom to pay."""
        return random.choice([person for person in PEOPLE if person is not self.me])

    @task(20)
    def balance(self) -> None:
        """Open the wallet."""
        self.ask("balance", "GET", "/v1/balance")

    @task(8)
    def history(self) -> None:
        """Look what happened."""
        self.ask("history", "GET", "/v1/history")

    @task(12)
    def pay(self) -> None:
        """Pay somebody online."""
        amount = {"amount_minor": random.randint(50, 20_00), "currency": CURRENCY}
        order = {"to": {"username": self.somebody_else().username}, "amount": amount, "memo": "lunch"}
        self.ask("pay", "POST", "/v1/transfers", order)

    @task(2)
    def load(self) -> None:
        """Move money to the phone."""
        order = {
            "device_id": self.me.phone.device_id, "amount": {"amount_minor": LOAD_MINOR, "currency": CURRENCY}
        }  # fmt: skip
        loading = self.ask("load", "POST", "/v1/offline/vouchers", order)
        if loading is not None and loading["voucher"] is not None:
            self.me.phone.keep(parse(from_base64url(loading["voucher"])))  # type: ignore[arg-type]

    @task(8)
    def pay_offline(self) -> None:
        """Pay somebody with no network: the server hears of it when the payee syncs."""
        self.me.phone.pay(self.somebody_else().phone, random.randint(10, 200), now=int(time.time()))

    @task(5)
    def sync(self) -> None:
        """Come back online: bring what was received, take home what comes."""
        brought, self.me.phone.to_bring = self.me.phone.to_bring, []
        order = {
            "device_id": self.me.phone.device_id, "bundles": [to_base64url(item.to_bytes()) for item in brought],
            "refusals": [], "offline_balance_wanted": None,
        }  # fmt: skip
        answer = self.ask("sync", "POST", "/v1/offline/sync", order)
        if answer is None:
            self.me.phone.to_bring += brought
            return
        for voucher in answer["vouchers"]:
            self.me.phone.keep(parse(from_base64url(voucher["voucher"])))  # type: ignore[arg-type]
        for result in answer["results"]:
            SETTLED[result["outcome"]] += 1
            if result["outcome"] == "rejected":
                self.environment.stats.log_error("POST", "sync", f"rejected: {result['code']} {result['detail']}")


def to_base64url(data: bytes) -> str:
    """Return bytes as the wire has them."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Return the bytes that the wire means."""
    return base64.urlsafe_b64decode(text + "==")


def sign_up(world: World, number: int) -> Person:
    """Sign somebody up and put money into the wallet."""
    person = Person(username=f"person_{number}", number=f"+65912{number:05d}", phone=Phone())

    def post(path: str, body: object, token: str = "") -> Any:
        headers = {
            "idempotency-key": "first", "tikiwallet-device": person.phone.device,
            **({"authorization": f"Bearer {token}"} if token else {}),
        }  # fmt: skip
        answer = urllib3.request("POST", world.address + path, json=body, headers=headers)
        if answer.status >= 300:
            raise StoryBrokenError(f"{path}: {answer.data.decode()}")
        return answer.json()

    order = {"phone": person.number, "username": person.username, "password": PASSWORD}
    started = post("/v1/registrations", order)
    verification = f"/v1/registrations/{started['registration_id']}/verification"
    session = post(verification, {"code": world.code_sent_to(person.number)})
    post("/v1/top-ups", {"amount": {"amount_minor": TOP_UP_MINOR, "currency": CURRENCY}}, session["token"])
    return person


def play(world: World, *, users: int, seconds: int) -> Environment:
    """Play the day and return what was measured."""
    environment = Environment(user_classes=[Somebody], events=events, host=world.address)
    runner = environment.create_local_runner()
    drawing = gevent.spawn(stats_history, runner)
    runner.start(users, spawn_rate=max(1, users // 5))
    ends = gevent.spawn_later(seconds, runner.quit)
    runner.greenlet.join()
    gevent.killall([drawing, ends])
    return environment


def table_of(environment: Environment) -> Table:
    """Return what each action took, in milliseconds."""
    table = Table("action", "requests", "refused", "failed", "p50 ms", "p95 ms", "p99 ms")
    for entry in sorted(environment.stats.entries.values(), key=lambda found: str(found.name)):
        percentiles = [f"{entry.get_response_time_percentile(part):.0f}" for part in (0.5, 0.95, 0.99)]
        counted = (entry.num_requests, REFUSED[entry.name], entry.num_failures)
        table.add_row(str(entry.name), *map(str, counted), *percentiles)
    return table


def books_of(world: World) -> str:
    """Return what reconciling the books says, right or not."""
    try:
        return world.operator("reconcile").strip()
    except StoryBrokenError as broken:
        return f"NOT RIGHT: {broken}"


def main() -> int:
    """Play a day; return the exit code."""
    users, seconds = (
        int(os.environ.get(name, default)) for name, default in (("USERS", "50"), ("LOAD_SECONDS", "120"))
    )
    os.environ.update(SETTINGS)
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        with world.server():
            console.print(f"{users} people sign up ...")
            PEOPLE.extend(sign_up(world, number) for number in range(users))
            console.print(f"Their day takes {seconds} seconds ...")
            environment = play(world, users=users, seconds=seconds)
            books = books_of(world)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(get_html_report(environment, show_download_link=False))
    console.print(table_of(environment))
    for failure in environment.stats.errors.values():
        console.print(f"FAILED {failure.occurrences} x {failure.name}: {failure.error}", markup=False)
    console.print(f"{environment.stats.total.total_rps:.0f} requests a second. Books: {books}. Report: {REPORT}")
    console.print(f"Payments made with no network: {dict(SETTLED)}.", markup=False)
    left_out = ACTIONS - {entry.name for entry in environment.stats.entries.values()}
    if left_out:
        console.print(f"Nobody got to: {', '.join(sorted(left_out))}.")
    is_well = not environment.stats.errors and not left_out and SETTLED["recorded"] and "right to the unit" in books
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())

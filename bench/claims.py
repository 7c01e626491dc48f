"""How much of its time a server that takes claims spends on what nobody can spare it: verifying signatures.

Phones bring what they were paid in bundles of 50 payments a request, over HTTP, to the real server with its own
PostgreSQL. Each has a hundred, in two requests as the wallets send them: the first says that more follows and is
answered by its results, the last takes home the money view and what else a phone needs; both costs are printed. Every
payment is new, straight from a voucher (depth 1), and brought by its payee. What a claim costs is the CPU time of all
processes of server and database; what it needs are the signatures that a verifier who gets the request and knows
nothing must check: each different one in it. A payee's customers are many, so that in each request every payment is
from another voucher: 50 payments and 50 vouchers are 100 signatures (at depth 1 no certificate travels, and the
operator's keys are checked before the first request). A town pays several payees with one voucher; they bring it in
other requests. The server itself verifies fewer, which is printed beside: it knows its own vouchers again, by their id,
which is the hash of all that was signed. The verifier's rate is measured between the requests, with the same library
and keys that are loaded already, so that a busy machine slows down both.
"""

import asyncio
import contextlib
import re
import secrets
import tempfile
import time
import unittest.mock
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

import asyncpg
import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from bench.place import Cpu
from bench.running import ASKED_EVERY_SECONDS, Server, running_server
from tikicash.cose import PrivateKeySigner, verify_signature
from tikicash.messages import Bundle, Payment, Piece, Signed, Voucher, key_id, sign
from tikiwallet.app import Parts
from tikiwallet.funding.books import BANK_OWNER_ID
from tikiwallet.identity.refresh import make_refresh_token
from tikiwallet.identity.registration import NewRegistration
from tikiwallet.identity.sessions import NewSession
from tikiwallet.identity.types import Person, PersonId, Tier
from tikiwallet.ledger.types import AccountKind, Transfer, TransferId, TransferKind, derive_account_id
from tikiwallet.offline.devices import CHALLENGE_TAG, Registration
from tikiwallet.offline.types import DeviceId
from tikiwallet.offline.wire import SyncBody, from_base64url, to_base64url
from tikiwallet.platform.audit import By
from tikiwallet.platform.config import SESSION_TTL_SECONDS_MAX, Settings, read_settings
from tikiwallet.platform.money import Amount

PAYERS: Final = 360
VOUCHERS_PER_PAYER: Final = 8
PAYMENTS_PER_VOUCHER: Final = 5
PAYEES: Final = 144
BUNDLE_COUNT: Final = 50  # payments in one request
CLIENTS: Final = 4  # phones that sync at the same moment
ROUNDS: Final = 4  # the verifier is measured before, between and after them
VERIFY_SECONDS: Final = 0.4  # for each time
WARM_UP_SYNCS: Final = 6  # a round: each connection plans anew, as it does once a minute at work
SIGNED_UP_AT_ONCE: Final = 8
PHONES_PER_BLOCK: Final = 50  # of ten thousand numbers
VOUCHER_MINOR: Final = 50_00
PASSWORD: Final = "seven green umbrellas"
CURRENCY: Final = "SGD"
CURRENCY_NUMBER: Final = 702
HEAD: Final = re.compile(rb"HTTP/1.1 200 .*\r\ncontent-length: (\d+)\r\n.*", re.DOTALL | re.IGNORECASE)


class Phone(msgspec.Struct, frozen=True, kw_only=True):
    """A registered phone and its owner, signed in."""

    person: Person
    token: str
    signer: PrivateKeySigner
    device_id: DeviceId


@contextlib.asynccontextmanager
async def _parts(server: Server, data_dir: Path) -> AsyncIterator[Parts]:
    """Yield the use cases on the server's database, for what is no part of what is measured."""
    # A run is longer than an access token, and refreshing is no part of what is measured.
    long_tokens = {"access_token_seconds": SESSION_TTL_SECONDS_MAX}
    changes = {"jobs": False, "password_memory_kib": 8, "password_passes": 1, **long_tokens}
    settings: Settings = msgspec.structs.replace(
        read_settings({"TIKIWALLET_DATA_DIR": str(data_dir), "TIKIWALLET_SMS_SENDER": "file"}), **changes
    )
    parts = Parts(settings, database_url=server.postgres.url("tikiwallet"))
    async with parts.open(now=_now()):
        yield parts


def _now() -> datetime:
    return datetime.now(UTC)


async def _sign_up(parts: Parts, number: int, *, kind: str) -> Phone:
    """Make a person with a wallet, a session and a phone, by the use cases that the routes call."""
    new = NewRegistration(registration_id=uuid4(), person_id=PersonId(uuid4()), code="123456")
    # Few of one block: nobody has text messages sent to a hundred numbers of one in an hour.
    phone = f"+65{81_000_000 + number // PHONES_PER_BLOCK * 10_000 + number % PHONES_PER_BLOCK}"
    await parts.identity.registrations.register(
        new, phone=phone, username=f"{kind}_{number}", password=PASSWORD, now=_now()
    )
    session = await parts.identity.registrations.verify(
        new.registration_id, NewSession(uuid4(), make_refresh_token()), code=new.code, now=_now()
    )
    person = await parts.identity.operators.set_tier(
        session.person.username, Tier.IDENTIFIED, by=By.operator("bench"), now=_now()
    )
    signer = PrivateKeySigner(ec.generate_private_key(ec.SECP256R1()))
    challenge = await parts.offline.devices.challenge(
        person.person_id, challenge_id=uuid4(), challenge=secrets.token_bytes(32), now=_now()
    )
    order = Registration(
        challenge_id=challenge.challenge_id,
        public_key=signer.public_key,
        signature=signer.sign(CHALLENGE_TAG + challenge.challenge + signer.public_key),
        name="phone",
        receive_only=False,
    )
    registered = await parts.offline.register(
        order, person, device_id=DeviceId(uuid4()), name_salt=secrets.token_bytes(16), now=_now()
    )
    return Phone(person=person, token=session.token, signer=signer, device_id=registered.device.device_id)


async def _sign_up_all(parts: Parts, count: int, *, kind: str, first: int) -> list[Phone]:
    found: list[Phone] = []
    for at in range(0, count, SIGNED_UP_AT_ONCE):
        numbers = range(first + at, first + min(at + SIGNED_UP_AT_ONCE, count))
        found += await asyncio.gather(*(_sign_up(parts, number, kind=kind) for number in numbers))
    return found


async def _load(parts: Parts, phone: Phone) -> list[Signed[Voucher]]:
    """Move money from the bank to a phone: wallet, escrow, signed vouchers."""
    bank = derive_account_id(BANK_OWNER_ID, AccountKind.BANK, CURRENCY)
    found = []
    top_up = Transfer(
        transfer_id=TransferId(uuid4()),
        debit_account_id=bank,
        credit_account_id=derive_account_id(phone.person.person_id, AccountKind.WALLET, CURRENCY),
        amount_minor=VOUCHER_MINOR * VOUCHERS_PER_PAYER,
        currency=CURRENCY,
        kind=TransferKind.TOP_UP,
    )
    assert (await parts.ledger.post(top_up)).is_posted
    for _ in range(VOUCHERS_PER_PAYER):
        loading = await parts.offline.vouchers.load(
            phone.person, device_id=phone.device_id, amount=Amount(amount_minor=VOUCHER_MINOR, currency=CURRENCY),
            key=str(uuid4()), draw=secrets.randbelow, now=_now(),
        )  # fmt: skip
        assert loading.voucher is not None, loading
        found.append(loading.voucher)
    return found


def _pay(payer: Phone, voucher: Signed[Voucher], payees: Sequence[Phone]) -> list[Signed[Payment]]:
    """Sign one payment to each payee, all from one voucher, no unit twice."""
    body, made = voucher.body, []
    part_minor = VOUCHER_MINOR // len(payees)
    for number, payee in enumerate(payees):
        count = part_minor - secrets.randbelow(part_minor // 2)
        piece = Piece(parent_id=voucher.short_id, first=body.first + number * part_minor, count=count)
        payment = Payment(
            net=body.net, currency=CURRENCY_NUMBER, pieces=(piece,), total=count,
            payee_id=key_id(payee.signer.public_key), nonce=secrets.token_bytes(8), paid_at=int(_now().timestamp()),
            memo_commit=None,
        )  # fmt: skip
        made.append(sign(payment, payer.signer))
    return made


class Sync(msgspec.Struct, frozen=True, kw_only=True):
    """A request that waits to be sent: 50 payments to one payee, and the payee's session."""

    body: bytes
    request: bytes  # with the body
    is_last: bool  # of the payee's two
    signatures: int  # different ones in the request


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that will be claimed, and every signature in it, ready to be verified."""

    syncs: list[Sync]
    signatures: list[tuple[ec.EllipticCurvePublicKey, bytes, bytes]]  # key, signature in DER, message


async def _prepare(parts: Parts) -> Claims:
    """Make people, phones, vouchers and payments; each payee has two syncs of payments by fifty payers and more."""
    payers = await _sign_up_all(parts, PAYERS, kind="payer", first=0)
    payees = await _sign_up_all(parts, PAYEES, kind="payee", first=PAYERS)
    received: dict[DeviceId, list[Bundle]] = {payee.device_id: [] for payee in payees}
    signatures = []
    issuer_key = _point(parts.offline.issuer.operator_key_at(_now()))
    turn = 0
    for at in range(0, PAYERS, SIGNED_UP_AT_ONCE):
        group = payers[at : at + SIGNED_UP_AT_ONCE]
        for payer, vouchers in zip(group, await asyncio.gather(*(_load(parts, one) for one in group)), strict=True):
            payer_key = _point(payer.signer.public_key)
            for voucher in vouchers:
                signatures.append((issuer_key, _der(voucher.signature), voucher.message))
                chosen = [payees[(turn + step) % PAYEES] for step in range(PAYMENTS_PER_VOUCHER)]
                turn += PAYMENTS_PER_VOUCHER
                for payee, payment in zip(chosen, _pay(payer, voucher, chosen), strict=True):
                    signatures.append((payer_key, _der(payment.signature), payment.message))
                    received[payee.device_id].append(Bundle(documents=(voucher, payment)))
    syncs = [
        _sync(payee, received[payee.device_id][at : at + BUNDLE_COUNT], is_last=at > 0)
        for at in (0, BUNDLE_COUNT)
        for payee in payees
    ]
    return Claims(syncs=syncs, signatures=signatures)


def _sync(payee: Phone, bundles: Sequence[Bundle], *, is_last: bool) -> Sync:
    assert len(bundles) == BUNDLE_COUNT, len(bundles)
    order = {
        "device_id": payee.device_id, "bundles": [to_base64url(bundle.to_bytes()) for bundle in bundles],
        "more_follows": not is_last,
    }  # fmt: skip
    documents = {document.id for bundle in bundles for document in bundle.documents}
    assert len(documents) == 2 * BUNDLE_COUNT, "every payment of a request is from another voucher"
    body = msgspec.json.encode(order)
    head = (
        f"POST /v1/offline/sync HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {payee.token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return Sync(body=body, request=head.encode() + body, is_last=is_last, signatures=len(documents))


async def _verifications(parts: Parts, sync: Sync) -> int:
    """Return how many signatures the server verifies of a request, before anything of it is recorded."""
    order = msgspec.json.decode(sync.body, type=SyncBody)
    with unittest.mock.patch("tikiwallet.offline.claims.verify_signature", wraps=verify_signature) as verify:
        judged = await parts.offline.claims.judge([from_base64url(text) for text in order.bundles])
    assert all(item.chain is not None for item in judged), judged
    return verify.call_count


def _point(public_key: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)


def _der(signature: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))


async def _calm(database_url: str) -> None:
    """Leave the server nothing to do but claims: the jobs behind the loads are done."""
    owner = await asyncpg.connect(database_url)
    try:
        jobs = "offline_jobs.pgqueuer WHERE entrypoint = 'open_voucher' AND status IN ('queued', 'picked')"
        while await owner.fetchval(f"SELECT count(*) FROM {jobs}"):
            await owner.execute(f"DELETE FROM {jobs} AND status = 'queued'")
            await asyncio.sleep(ASKED_EVERY_SECONDS)
    finally:
        await owner.close()


async def _know_the_tables(database_url: str) -> None:
    """Tell the planner how large the tables are: autovacuum does it once a minute, and these grow in seconds."""
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute("ANALYZE")
    finally:
        await owner.close()


class _Verifier:
    """Measures raw verifications, on and on through the same signatures."""

    def __init__(self, claims: Claims) -> None:
        self._signatures = claims.signatures
        self._algorithm = ec.ECDSA(hashes.SHA256())
        self._at = 0
        self.verifications = 0
        self.cpu_seconds = 0.0

    def measure(self) -> None:
        """Verify for VERIFY_SECONDS."""
        begun_at = time.process_time()
        while time.process_time() - begun_at < VERIFY_SECONDS:
            key, signature, message = self._signatures[self._at % len(self._signatures)]
            key.verify(signature, message, self._algorithm)
            self._at += 1
            self.verifications += 1
        self.cpu_seconds += time.process_time() - begun_at


async def _bring(server: Server, syncs: Sequence[Sync]) -> list[bytes]:
    """Send some syncs, CLIENTS at the same moment, and return the answers: nobody reads them while it is measured.

    The sender shares two cores, and their caches, with what it measures; so it is no general HTTP client.
    """
    waiting, answers = list(reversed(syncs)), list[bytes]()

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        while waiting:
            sync = waiting.pop()
            writer.write(sync.request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = HEAD.fullmatch(head)
            assert length is not None, head
            answers.append(await reader.readexactly(int(length[1])))
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return answers


def _check(answers: Sequence[bytes]) -> None:
    """See that every payment was new."""
    for answer in answers:
        outcomes = [result["outcome"] for result in msgspec.json.decode(answer)["results"]]
        assert outcomes == ["recorded"] * BUNDLE_COUNT, outcomes


async def _measure(data_dir: Path) -> dict[str, float]:
    with running_server(data_dir) as server:
        async with _parts(server, data_dir) as parts:
            claims = await _prepare(parts)
            made = await _verifications(parts, claims.syncs[0])
        database_url = server.postgres.url("tikiwallet")
        await _calm(database_url)
        verifier = _Verifier(claims)
        verifier.measure()
        used, wall_seconds, measured = list[tuple[bool, Cpu]](), 0.0, list[Sync]()
        for at in range(0, len(claims.syncs), len(claims.syncs) // ROUNDS):  # half of them with more to follow
            syncs = claims.syncs[at : at + len(claims.syncs) // ROUNDS]
            await _know_the_tables(database_url)
            _check(await _bring(server, syncs[:WARM_UP_SYNCS]))
            measured += syncs[WARM_UP_SYNCS:]
            before, begun_at = server.cpu(), time.monotonic()
            answers = await _bring(server, syncs[WARM_UP_SYNCS:])
            wall_seconds += time.monotonic() - begun_at
            used.append((syncs[0].is_last, server.cpu() - before))
            _check(answers)
            verifier.measure()
    count = len(measured) * BUNDLE_COUNT
    needed = sum(sync.signatures for sync in measured)
    server_seconds, database_seconds = (sum(getattr(cpu, who) for _, cpu in used) for who in ("server", "database"))
    cpu_seconds = server_seconds + database_seconds
    last_seconds = sum(cpu.server + cpu.database for is_last, cpu in used if is_last)
    last_count = sum(sync.is_last for sync in measured) * BUNDLE_COUNT
    claims_per_cpu_second = count / cpu_seconds
    verifications_per_cpu_second = verifier.verifications / verifier.cpu_seconds
    return {
        "claims_over_verify": needed / cpu_seconds / verifications_per_cpu_second,
        "claims_per_second": count / wall_seconds,
        "claims_per_cpu_second": claims_per_cpu_second,
        "verifications_per_cpu_second": verifications_per_cpu_second,
        "signatures_per_request": needed / len(measured),
        "verifications_per_request": made,
        "server_cpu_us_per_claim": server_seconds / count * 1e6,
        "database_cpu_us_per_claim": database_seconds / count * 1e6,
        "cpu_us_per_claim_more_follows": (cpu_seconds - last_seconds) / (count - last_count) * 1e6,
        "cpu_us_per_claim_last": last_seconds / last_count * 1e6,
    }


def measure() -> dict[str, float]:
    """Return `claims_over_verify` and what it is made of. Takes less than a minute; leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="tikiwallet-bench-") as folder:
        return asyncio.run(_measure(Path(folder) / "data"))


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name:32} {figure:12.3f}")

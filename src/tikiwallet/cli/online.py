"""What a person does with a network: sign up, sign in, pay, ask, move money in and out.

Use cases only: the commands (commands_online.py) ask and show, the server decides.
"""

from dataclasses import dataclass

import msgspec

from tikiwallet.cli.answers import (
    Balances,
    HistoryPage,
    MoneyRequest,
    MoneyView,
    Nothing,
    Operation,
    Person,
    PublicPerson,
    Quote,
    Receipt,
    RecoveryCodesMade,
    RegistrationStarted,
    RequestPage,
    SignedIn,
    TextSent,
)
from tikiwallet.cli.keeping_up import keep_tokens
from tikiwallet.cli.problems import (
    Problem,
    RegistrationMissing,
    SecondProofNeeded,
    ServerSaidNo,
    ServerUnexpected,
    SessionEndsLater,
    WalletOfAnother,
)
from tikiwallet.cli.server import Online, Server
from tikiwallet.cli.wallet_folder import Wallet
from tikiwallet.platform.money import Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The money view as it was last heard, for when the server is away."""

    view: MoneyView
    heard_at: int  # unix seconds


def register(wallet: Wallet, server: Server, *, phone: str, username: str, password: str) -> RegistrationStarted:
    """Sign up; the code comes by text message. Problems: `WalletOfAnother`, those of `Server.call`."""
    if wallet.store.setting("person_id"):
        raise WalletOfAnother("This folder is a wallet already. Run `tiki login`, or choose another with --wallet.")
    body = {"phone": phone, "username": username, "password": password}
    started = server.call("POST", "/v1/registrations", RegistrationStarted, body=body)
    wallet.store.remember("registration_id", started.registration_id)
    wallet.store.remember("phone", phone)
    wallet.store.remember("server", server.url)
    return started


def send_fresh_code(wallet: Wallet, server: Server) -> RegistrationStarted:
    """Have the code of a sign-up sent again. Problems: `RegistrationMissing`, those of `Server.call`."""
    return server.call("POST", f"/v1/registrations/{_registration_id(wallet)}/code", RegistrationStarted)


def verify(wallet: Wallet, server: Server, *, code: str) -> SignedIn:
    """Prove the phone, open the wallet and sign in. Problems: `RegistrationMissing`, those of `Server.call`."""
    path = f"/v1/registrations/{_registration_id(wallet)}/verification"
    signed_in = server.call("POST", path, SignedIn, body={"code": code}, device=wallet.device_secret())
    _keep(wallet, server, signed_in)
    wallet.store.remember("registration_id", "")
    return signed_in


def login(
    wallet: Wallet, server: Server, *, phone: str, password: str, code: str = "", recovery_code: str = ""
) -> SignedIn:
    """Sign in; in a folder that is new to this person with a `code` from a text message, or a `recovery_code`.

    Problems: `SecondProofNeeded` (a code is on its way), `WalletOfAnother`, those of `Server.call`.
    """
    body: dict[str, object] = {"phone": phone, "password": password}
    proof: dict[str, object] = {}
    if recovery_code:
        proof = {"proof": {"recovery_code": recovery_code}}
    elif code:
        text = {"request_id": wallet.store.setting("sign_in_request_id"), "code": code}
        proof = {"proof": {"text_message": text}}
    try:
        signed_in = server.call("POST", "/v1/sessions", SignedIn, body=body | proof, device=wallet.device_secret())
    except ServerSaidNo as said:
        if said.code != "second_proof_required":
            raise
        sent = server.call("POST", "/v1/sessions/text-message", TextSent, body=body)
        wallet.store.remember("sign_in_request_id", sent.request_id)
        raise SecondProofNeeded(phone=sent.phone_masked) from said
    if wallet.store.setting("person_id") not in {"", signed_in.person.person_id}:
        raise WalletOfAnother
    _keep(wallet, server, signed_in)
    return signed_in


def logout(online: Online) -> None:
    """End the session here and on the server; offline money and evidence stay in the folder.

    The session is forgotten here even if the server can't be reached, where it ends by itself within hours.
    """
    try:
        if online.wallet.session() is not None:
            online.delete("/v1/sessions/current")
    except Problem:
        online.wallet.notices.append(SessionEndsLater())
    finally:
        online.wallet.forget_session()


def money_view(online: Online) -> MoneyView:
    """Return all of a person's money as the operator knows it, and keep it for later. Problems: of `Server.call`."""
    view = online.get("/v1/offline/money", MoneyView)
    keep_view(online.wallet, view)
    return view


def keep_view(wallet: Wallet, view: MoneyView) -> None:
    """Keep a money view for when the server is away."""
    wallet.store.remember("money_view", msgspec.json.encode(view).decode())
    wallet.store.remember("money_view_at", str(wallet.edge.now()))


def kept_view(wallet: Wallet) -> Kept | None:
    """Return the money view as it was last heard, or None."""
    text = wallet.store.setting("money_view")
    if not text:
        return None
    view = msgspec.json.decode(text, type=MoneyView)
    return Kept(view=view, heard_at=int(wallet.store.setting("money_view_at")))


def whoami(online: Online) -> Person:
    """Return who is signed in. Problems: those of `Server.call`."""
    return online.get("/v1/me", Person)


def find_person(online: Online, who: str) -> PublicPerson:
    """Return whom a phone number or username is of, the phone masked. Problems: those of `Server.call`."""
    return online.get("/v1/people", PublicPerson, **person_ref(who))


def pay(online: Online, *, who: str, amount: Amount, memo: str) -> Receipt:
    """Pay somebody online, once. Problems: those of `Online.moving_money`."""
    body = {"to": person_ref(who), "amount": amount, "memo": memo}
    return online.moving_money("/v1/transfers", Receipt, body=body, moved_at=lambda receipt: receipt.sent_at)


def request(online: Online, *, who: str, amount: Amount, memo: str) -> MoneyRequest:
    """Ask somebody for money. Problems: those of `Online.moving_money`."""
    body = {"payer": person_ref(who), "amount": amount, "memo": memo}
    return online.moving_money("/v1/requests", MoneyRequest, body=body)


def requests(online: Online, *, role: str, state: str) -> list[MoneyRequest]:
    """Return the requests for money to or by me, newest first. Problems: those of `Server.call`."""
    query = {name: value for name, value in (("role", role), ("state", state)) if value}
    return online.get("/v1/requests", RequestPage, limit="100", **query).items


def pay_request(online: Online, request_id: str) -> MoneyRequest:
    """Pay a request. Problems: those of `Online.moving_money`."""
    return online.moving_money(f"/v1/requests/{request_id}/payment", MoneyRequest, body=None)


def end_request(online: Online, request_id: str, how: str) -> MoneyRequest:
    """Decline a request to me ("decline") or take mine back ("cancellation"). Problems: those of `Server.call`."""
    return online.post(f"/v1/requests/{request_id}/{how}", MoneyRequest)


def history(online: Online, *, limit: int, cursor: str) -> HistoryPage:
    """Return movements of the online balance, newest first. Problems: those of `Server.call`."""
    query = {"cursor": cursor} if cursor else {}
    return online.get("/v1/history", HistoryPage, limit=str(limit), **query)


def top_up(online: Online, amount: Amount) -> Operation:
    """Bring money in. Problems: those of `Online.moving_money`."""
    return online.moving_money("/v1/top-ups", Operation, body={"amount": amount})


def quote(online: Online, amount: Amount) -> Quote:
    """Return what a withdrawal would cost. Problems: those of `Server.call`."""
    return online.post("/v1/withdrawals/quote", Quote, body={"amount": amount})


def withdraw(online: Online, amount: Amount, *, fee_minor: int) -> Operation:
    """Take money out, for a fee that was agreed to. Problems: those of `Online.moving_money`."""
    return online.moving_money("/v1/withdrawals", Operation, body={"amount": amount, "fee_minor": fee_minor})


def prove(online: Online, *, password: str) -> None:
    """Prove again who is there, for five minutes. Problems: those of `Server.call`."""
    online.post("/v1/proofs", Nothing, body={"password": password})


def make_recovery_codes(online: Online) -> RecoveryCodesMade:
    """Make ten codes, which nobody can show again. Problems: those of `Server.call`."""
    return online.post("/v1/recovery-codes", RecoveryCodesMade)


def person_ref(who: str) -> dict[str, str]:
    """Return how the API names somebody: a phone number starts with + or a digit, anything else is a username."""
    return {"phone": who} if who[:1] == "+" or who[:1].isdigit() else {"username": who.removeprefix("@")}


def learn_currency(online: Online) -> str:
    """Return the wallet's currency, heard once and remembered. Problems: those of `Server.call`."""
    currency = online.wallet.store.setting("currency")
    if not currency:
        balances = online.get("/v1/balance", Balances).balances
        if not balances:
            raise ServerUnexpected
        currency = balances[0].currency
        online.wallet.store.remember("currency", currency)
    return currency


def _keep(wallet: Wallet, server: Server, signed_in: SignedIn) -> None:
    keep_tokens(wallet, signed_in)
    with wallet.store.transaction():
        wallet.store.remember("person_id", signed_in.person.person_id)
        wallet.store.remember("username", signed_in.person.username)
        wallet.store.remember("phone", signed_in.person.phone)
        wallet.store.remember("server", server.url)


def _registration_id(wallet: Wallet) -> str:
    registration_id = wallet.store.setting("registration_id")
    if not registration_id:
        raise RegistrationMissing
    return registration_id

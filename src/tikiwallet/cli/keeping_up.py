"""Keeps the session up: exchanges its tokens before they run out, and when the server says that they have.

A refresh token works once, and one that is used again in another exchange ends the session. So the key of an exchange
is in the file of the session before the server is asked, and an exchange whose answer was lost is repeated with it: the
same command again goes on with the same session (ADR 0025). One command at a time uses the folder.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from tikiwallet.cli.answers import SignedIn
from tikiwallet.cli.problems import NewSignIn, NotSignedIn
from tikiwallet.cli.wallet_folder import Session, Wallet

if TYPE_CHECKING:
    from tikiwallet.cli.server import Server

EARLY_SECONDS: Final = 60
KEY_BYTES: Final = 16

T = TypeVar("T")


def signed_in(wallet: Wallet, server: Server, call: Callable[[str], T]) -> T:
    """Make a call with the session's token, and once more with the next one if it has run out.

    Problems: `NotSignedIn` without a session or after its end; those of the call. A problem of the call says nothing of
    what became of the same call before.
    """
    session = wallet.session()
    if session is None:
        raise NotSignedIn
    if session.refresh_token and wallet.edge.now() >= session.refresh_at:
        session = _exchange(wallet, server, session)
    try:
        return call(session.token)
    except NotSignedIn:
        if not session.refresh_token:
            raise
        return call(_exchange(wallet, server, session).token)


def keep_tokens(wallet: Wallet, said: SignedIn) -> Session:
    """Store the tokens of a session, and leave a notice if there is something to know about who is signed in."""
    life_seconds = said.token_ttl_seconds
    session = Session(
        token=said.token,
        expires_at=said.expires_at.isoformat(),
        refresh_token=said.refresh_token,
        refresh_at=wallet.edge.now() + life_seconds - min(EARLY_SECONDS, life_seconds // 2),
    )
    wallet.keep_session(session)
    if said.notices:
        wallet.notices.append(NewSignIn())
    return session


def _exchange(wallet: Wallet, server: Server, session: Session) -> Session:
    """Return the session with its next tokens, stored. Problems: `NotSignedIn` (it is over), those of `Server.call`."""
    if not session.exchange_key:
        key = wallet.edge.random_bytes(KEY_BYTES).hex()
        session = dataclasses.replace(session, exchange_key=key)
        wallet.keep_session(session)
    try:
        said = server.call(
            "POST", "/v1/sessions/refresh", SignedIn, body={"refresh_token": session.refresh_token},
            key=session.exchange_key,
        )  # fmt: skip
    except NotSignedIn:
        wallet.forget_session()
        raise
    return keep_tokens(wallet, said)

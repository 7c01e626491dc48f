"""Where I am signed in, what I should know about it, and how to end what isn't mine."""

from dataclasses import dataclass

from tikiwallet.cli.answers import Nothing, SecurityNotice, SecurityNotices, SignIn, SignIns
from tikiwallet.cli.problems import SignInUnknown
from tikiwallet.cli.server import Online


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Everywhere where I am signed in, and what nobody has looked at before."""

    items: list[SignIn]
    told: list[SecurityNotice]


def look(online: Online) -> Seen:
    """Return where I am signed in and what I should know; what was told is put away. Problems: of `Server.call`."""
    items = online.get("/v1/sessions", SignIns).items
    told = online.get("/v1/notices", SecurityNotices).items
    for notice in told:
        online.post(f"/v1/notices/{notice.notice_id}/dismissal", Nothing)
    online.wallet.notices.clear()  # what they say is shown in full
    return Seen(items=items, told=told)


def end(online: Online, wanted: str) -> SignIn:
    """End the other session whose id begins so. Problems: `SignInUnknown`, those of `Server.call`."""
    items = online.get("/v1/sessions", SignIns).items
    found = [item for item in items if item.session_id.startswith(wanted.lower()) and not item.is_current]
    if len(found) != 1 or not wanted:
        raise SignInUnknown
    online.delete(f"/v1/sessions/{found[0].session_id}")
    return found[0]


def end_others(online: Online) -> None:
    """End every session but this one. Problems: those of `Server.call`."""
    online.delete("/v1/sessions/others")

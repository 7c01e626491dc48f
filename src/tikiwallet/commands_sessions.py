"""The operators' commands about sessions."""

from datetime import timedelta

import click

from tikiwallet.app import Parts
from tikiwallet.identity.keys import make_signing_key
from tikiwallet.operating import with_parts
from tikiwallet.platform.http import utc_now


@click.command("rotate-session-key")
@click.option(
    "--overlap-minutes", type=click.IntRange(0, 24 * 60), default=60, show_default=True,
    help="How long it is published before it signs.",
)  # fmt: skip
def rotate_session_key(overlap_minutes: int) -> None:
    """Make the next key that signs the tokens of sessions. Nobody is signed out by it."""
    now = utc_now()
    overlap = timedelta(minutes=overlap_minutes)

    async def rotate(parts: Parts) -> int:
        await parts.identity.keys.rotate(make_signing_key(), now=now, overlap=overlap)
        return len((await parts.identity.keys.published(now=now)).keys)

    count = with_parts(rotate)
    click.echo(f"Session keys published: {count}. The new one signs from {now + overlap:%Y-%m-%d %H:%M} (UTC).")

"""`tikiwallet stripe-standin`: so that people can try every flow of money in and out with test cards."""

from pathlib import Path

import click


@click.command("stripe-standin")
@click.option("--port", default=12111, show_default=True, type=click.IntRange(0, 65535))
@click.option("--webhook", metavar="URL", default="", help="Where events are sent: <wallet>/v1/webhooks/stripe.")
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    default=["whsec_standin"],
    show_default=True,
    help="What webhooks are signed with; several while one is being changed.",
)
@click.option("--state", type=click.Path(path_type=Path, dir_okay=False), help="Keep what happened in this file.")
def stripe_standin(port: int, webhook: str, secrets: tuple[str, ...], state: Path | None) -> None:
    """Serve a stand-in for Stripe on this machine, with test cards and no real money, to try out every flow."""
    from tikiwallet.stripe_standin import serving  # it takes a while to import, and no other command needs it

    try:
        serving.run(
            port=port,
            webhook_url=webhook,
            webhook_secrets=secrets,
            state_file=state,
            ready=lambda port: click.echo(_welcome(port, webhook, secrets)),
        )
    except serving.CannotStart as error:
        raise click.ClickException(str(error)) from error


def _welcome(port: int, webhook: str, secrets: tuple[str, ...]) -> str:
    told = f"Webhooks go to {webhook}" if webhook else "No webhooks are sent (--webhook)"
    return (
        f"\n  A stand-in for Stripe is ready on http://127.0.0.1:{port}. {told}.\n\n"
        "  Settings of the wallet:\n\n"
        "    export TIKIWALLET_BANK=stripe\n"
        f"    export TIKIWALLET_STRIPE_API_URL=http://127.0.0.1:{port}\n"
        "    export TIKIWALLET_STRIPE_KEY=sk_test_standin\n"
        f"    export TIKIWALLET_STRIPE_WEBHOOK_SECRETS={','.join(secrets)}\n\n"
        f"  What else it can do: curl http://127.0.0.1:{port}/_control\n"
        "  Stop: Ctrl-C\n"
    )

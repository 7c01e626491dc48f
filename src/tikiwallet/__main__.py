"""The operators' commands: `tikiwallet serve`, `migrate`, ... (people use `tiki`)."""

import gc
import os

# A start is mostly imports. Nothing of them is garbage, and pydantic, which comes with the job queue, has no plugins
# here that it could find: without both looks the imports take a quarter less.
gc.disable()
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

import asyncio
import functools
import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from tikicash.messages import to_code
from tikiwallet.app import CONTEXTS, JOB_CONTEXTS, Parts, build_routes, put_behind
from tikiwallet.bank_command import reconcile_bank
from tikiwallet.cli.problems import PictureUnwritable
from tikiwallet.cli.problems_of_copies import FileUnwritable
from tikiwallet.commands_operators import operator_commands
from tikiwallet.commands_people import PEOPLE_COMMANDS
from tikiwallet.commands_sessions import rotate_session_key
from tikiwallet.ledger.reconcile import Reconciliation, reconcile
from tikiwallet.offline.double_spends import Found
from tikiwallet.offline.figures import Figures
from tikiwallet.offline.key_folder import rotate_issuer_key as rotate
from tikiwallet.offline.policy import DAY_SECONDS, read_policy
from tikiwallet.offline.service import keys_folder
from tikiwallet.operating import given_settings, with_parts
from tikiwallet.platform import local_certificate, serving, workers
from tikiwallet.platform.config import ConfigError, Settings
from tikiwallet.platform.embedded_postgres import EmbeddedPostgresError
from tikiwallet.platform.errors import Refused
from tikiwallet.platform.http import utc_now
from tikiwallet.platform.jobs import Jobs, RetryOutcome
from tikiwallet.platform.migrate import MigrationError, migrate
from tikiwallet.platform.serving import StartError
from tikiwallet.platform.thin import Application
from tikiwallet.stripe_standin.command import stripe_standin

gc.freeze()
gc.enable()

CANNOT_START = (ConfigError, StartError, EmbeddedPostgresError, MigrationError)  # each is one sentence


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tikiwallet")
def commands() -> None:
    """Run and look after a TikiWallet server. Settings come from the environment (docs/operating.md)."""


commands.add_command(stripe_standin)
commands.add_command(reconcile_bank)


@commands.command()
@click.option("--tls-cert", metavar="FILE", help="Serve HTTPS with this certificate (PEM; TIKIWALLET_TLS_CERT).")
@click.option("--tls-key", metavar="FILE", help="The certificate's private key (PEM; TIKIWALLET_TLS_KEY).")
def serve(tls_cert: str | None, tls_key: str | None) -> None:
    """Serve the wallet: database, migrations, HTTP. Ctrl-C stops everything cleanly."""
    settings = given_settings(TIKIWALLET_TLS_CERT=tls_cert, TIKIWALLET_TLS_KEY=tls_key)
    serving.check_tls(settings)
    workers.check(settings, context_count=len(CONTEXTS))
    with serving.stoppable(), workers.listen(settings) as sockets, ThreadPoolExecutor(max_workers=1) as beside:
        routes = beside.submit(build_routes, settings)  # while the database starts
        with serving.database(settings) as url, serving.database_errors(settings):
            asyncio.run(migrate(url, contexts=CONTEXTS))
            application = routes.result()
            beside.shutdown()  # beside a thread there is no safe fork
            host, port = sockets[0].getsockname()[:2]
            ready = functools.partial(click.echo, _welcome(settings, host=host, port=port))
            if settings.workers == 1:
                put_behind(application, settings, database_url=url)
                serving.run(application, sockets[0], settings, ready=ready)
            else:
                workers.run(sockets, serve=functools.partial(_serve_beside_others, application, settings), ready=ready)
    click.echo("TikiWallet has stopped. Your data is kept.")


def _serve_beside_others(
    application: Application, settings: Settings, number: int, listening: socket.socket, parent: socket.socket
) -> int:
    """Serve as one of several processes; return what to end with."""
    mine = workers.settings_of(number, settings)
    try:
        with serving.stoppable(), serving.database(mine) as url, serving.database_errors(mine):
            put_behind(application, mine, database_url=url)
            ready = functools.partial(workers.tell, parent, workers.READY)
            serving.run(application, listening, mine, ready=ready, parent=parent)
    except CANNOT_START as error:
        workers.tell(parent, str(error))
        return 1
    return 0


@commands.command("make-certificate")
@click.argument("hosts", metavar="[HOST]...", nargs=-1)
@click.option(
    "--replace", is_flag=True, help="Make new files although there are some: phones must install the new one."
)
def make_certificate_command(hosts: tuple[str, ...], replace: bool) -> None:
    """Make a certificate for HOST (names and addresses; default: this machine's), so that phones near you can use it.

    Browsers give the camera, and the wallet its life without a network, to HTTPS alone.
    """
    settings = given_settings()
    folder = settings.data_dir.absolute() / "tls"
    if folder.exists() and not replace:
        raise StartError(f"There is a certificate in {folder}; phones trust it. --replace makes a new one.")
    named = (
        list(dict.fromkeys([*hosts, *local_certificate.HERE])) if hosts else local_certificate.hosts_of_this_machine()
    )
    try:
        made = local_certificate.make(named, now=utc_now())
        authority, chain, key = local_certificate.write(made, folder)
    except local_certificate.HostRefused as refused:
        raise StartError(str(refused)) from refused
    except OSError as error:
        raise StartError(f"{folder} can't be written: {error.strerror}.") from error
    click.echo(
        f"A certificate for {', '.join(named)}, good for {local_certificate.LIFE_DAYS} days.\n\n"
        f"  1. On each phone, install {authority}\n"
        "     (send it by mail, chat or cable). It vouches for these hosts and nothing else.\n"
        '     Android: Settings, search for "CA certificate", Install anyway, choose the file.\n'
        "     iPhone:  open it, then Settings, Profile Downloaded, Install; then General, About,\n"
        "              Certificate Trust Settings, and switch it on.\n"
        "  2. Serve with it:\n"
        f"     TIKIWALLET_HOST=0.0.0.0 tikiwallet serve --tls-cert {chain} --tls-key {key}\n"
        f"  3. On each phone, open https://{_in_address(named[0])}:{settings.port}"
    )


@commands.command("migrate")
def migrate_command() -> None:
    """Bring the database to this release's schema and stop."""
    settings = given_settings()
    with serving.database(settings) as url, serving.database_errors(settings):
        ran = asyncio.run(migrate(url, contexts=CONTEXTS))
    click.echo(f"{ran} migrations ran." if ran else "The database is up to date.")


@commands.command()
@click.option("--root-key", "root_file", type=click.Path(path_type=Path), help="[default: root.pem in the key folder]")
@click.option("--overlap-days", type=click.IntRange(0, 366), help="[default: longer than the longest certificate]")
def rotate_issuer_key(root_file: Path | None, overlap_days: int | None) -> None:
    """Make the next signing key of offline money. Running servers make it known, and sign with it after the overlap."""
    settings = given_settings()
    folder, now = keys_folder(settings), utc_now()
    longest_seconds = read_policy(settings.offline_policy, currency=settings.currencies[0]).certificate_seconds_max
    overlap = timedelta(days=-(-longest_seconds // DAY_SECONDS) + 1 if overlap_days is None else overlap_days)
    made = rotate(
        folder, root_file=root_file or folder / "root.pem", now=now, overlap_seconds=int(overlap.total_seconds())
    )
    begins_at, ends_at = (datetime.fromtimestamp(item, UTC) for item in (made.valid_from, made.valid_until))
    click.echo(f"Key {made.number} is made. It signs from {begins_at:%d %B %Y %H:%M} to {ends_at:%d %B %Y} (UTC).")
    if overlap.total_seconds() < longest_seconds:
        click.echo(
            "Phones that haven't synced by then refuse what it signs (issuer_unknown) until they go online once: "
            "see the runbook in docs/operating.md."
        )


@commands.command("reconcile")
def reconcile_command() -> None:
    """Prove the books from the postings up: prints what was read and every difference; exit code 1 if there is one."""

    async def prove(parts: Parts) -> Reconciliation:
        return await reconcile(parts.databases["ledger"])

    found = with_parts(prove)
    for difference in found.differences:
        click.echo(f"{difference.rule.value}: {difference.subject}: {difference.found}")
    if found.is_cut:
        click.echo("More places break these rules than are listed.")
    books = f"{found.account_count} accounts, {found.posting_count} postings"
    click.echo(f"{books}: {'right to the unit' if found.is_right else 'NOT RIGHT, see above'}")
    if not found.is_right:
        sys.exit(1)


@commands.command("double-spends")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the code of the proof.")
@click.option("--png", type=click.Path(path_type=Path, file_okay=False), help="Save each proof as a picture there.")
def double_spends_command(as_json: bool, png: Path | None) -> None:
    """List every double spend found: when, whose phone, how much, and the proof that anybody can check."""

    async def collect(parts: Parts) -> list[dict[str, object]]:
        found = await parts.offline.double_spends()
        people = await parts.identity.people.people([item.person_id for item in found])
        pictures = _pictures(found, png) if png is not None else {}
        return [
            {
                "found_at": item.found_at.isoformat(),
                "username": people[item.person_id].username,
                "phone_name": item.device_name,
                "key_id": item.spend.key_id.hex(),
                "amount_minor": item.spend.count,
                "notice": item.is_notice,
                "proof": to_code(item.proof),
                **({"picture": pictures.get(_picture_name(item))} if png is not None else {}),
            }
            for item in found
        ]

    for line in with_parts(collect):
        if as_json:
            click.echo(json.dumps(line))
        else:
            text = "{found_at}  {username}, phone {phone_name!r} (key {key_id}): {amount_minor} minor units twice"
            click.echo(text.format(**line) + (" (a notice: nobody lost by it)" if line["notice"] else ""))
            click.echo(f"  {line.get('picture') or line['proof']}")


def _pictures(found: list[Found], folder: Path) -> dict[str, str]:
    """Write a picture of each proof that fits one; returns the files by the names that `_picture_name` gives."""
    try:
        from tikiwallet.cli.codes import write_pictures  # a server that starts has no use for pictures

        return write_pictures({_picture_name(item): to_code(item.proof) for item in found}, folder)
    except (FileUnwritable, PictureUnwritable) as error:
        raise click.ClickException(f"The pictures of the proofs can't be written to {folder}.") from error


def _picture_name(found: Found) -> str:
    return f"proof-{found.spend.key_id.hex()[:8]}-{found.proof.first_id.hex()[:8]}-{found.proof.second_id.hex()[:8]}"


@commands.command("close-due")
def close_due_command() -> None:
    """Close every voucher whose time for claims is over, as a running server does each minute."""

    async def close(parts: Parts) -> tuple[int, int]:
        return await parts.offline.keep_up(), len(await parts.offline.closes.stuck())

    closed, stuck = with_parts(close)
    click.echo(f"Vouchers closed: {closed}.")
    if stuck:
        click.echo(f"Vouchers that can't be closed: {stuck}; `tikiwallet jobs` says why.")
        sys.exit(1)


@commands.group("jobs", invoke_without_command=True)
@click.pass_context
def jobs_command(context: click.Context) -> None:
    """List what waits for you: jobs that failed too often, closes that fail, disputes. Exit code 1 if there is any."""
    if context.invoked_subcommand is not None:
        return

    async def collect(parts: Parts) -> list[str]:
        lines = [
            f"{name}/{job.job_id}  {job.name} {job.key}, parked {job.parked_at:%Y-%m-%d %H:%M}: {job.error}"
            for name, job in await parts.parked_jobs()
        ]
        lines += await parts.funding.disputes_in_words()
        return lines + [
            f"close of voucher {item.voucher_id}, failed {item.failure_count} times since "
            f"{item.first_failed_at:%Y-%m-%d %H:%M}, tried again each minute: {item.error}"
            for item in await parts.offline.closes.stuck()
        ]

    stuck = with_parts(collect)
    click.echo("\n".join(stuck) or "Nothing is stuck.")
    if stuck:
        sys.exit(1)


@jobs_command.command("retry")
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True)
def retry_jobs(job_ids: tuple[str, ...]) -> None:
    """Run parked jobs again, named as `tikiwallet jobs` lists them (offline/12), with all their attempts."""

    async def retry(parts: Parts) -> dict[str, RetryOutcome]:
        found = {}
        for job_id in job_ids:
            name, _, number = job_id.partition("/")
            known = name in JOB_CONTEXTS and number.isdecimal()
            found[job_id] = RetryOutcome.NOT_PARKED
            if known:
                found[job_id] = await Jobs(name).retry(parts.databases[name].driver_pool, int(number))
        return found

    outcomes = with_parts(retry)
    for job_id, outcome in outcomes.items():
        click.echo(f"{job_id}: {RETRY_SENTENCES[outcome]}")
    if set(outcomes.values()) != {RetryOutcome.QUEUED}:
        sys.exit(1)


RETRY_SENTENCES = {
    RetryOutcome.QUEUED: "runs again as soon as a server with job workers sees it.",
    RetryOutcome.NOT_PARKED: "no parked job has this name; see `tikiwallet jobs`.",
    RetryOutcome.PROMISED_AGAIN: "the same was promised again meanwhile and runs by itself; nothing is to be done.",
}


@commands.command("exposure")
def exposure_command() -> None:
    """Show the most that the operator can lose on the offline money that is out now, and what it has cost."""

    async def measure(parts: Parts) -> Figures:
        return await parts.offline.figures(now=utc_now())

    found = with_parts(measure)
    exposure = found.exposure
    promised = (
        f"cover {exposure.cover_minor} + guarantees {exposure.guarantee_minor} "
        f"+ early release {exposure.early_release_minor}"
    )
    limit, state = "no limit", "within it"
    if exposure.limit_minor is not None:
        used_percent = exposure.total_minor * 100 // max(1, exposure.limit_minor)
        limit = f"limit {exposure.limit_minor} ({used_percent} % of it)"
    if exposure.is_paused:
        state = "PAUSED: nothing new is promised"
    click.echo(f"Promised: {promised} = {exposure.total_minor} minor units; {limit}; {state}.")
    click.echo(
        f"Paid out so far: guarantees {found.paid_guarantee_minor}, cover {found.paid_cover_minor}; "
        f"owed back by people: {found.debt_minor}; balance of the guarantee account: {found.guarantee_balance_minor}."
    )
    click.echo(
        f"Vouchers: {found.vouchers_open} open, {found.closes_due} due, {found.closes_stuck} stuck; "
        f"payouts waiting: {found.payouts_waiting} of {found.payouts_waiting_minor} minor units."
    )
    click.echo(f"Signing keys last until {found.key_ends_at:%d %B %Y}.")


def _welcome(settings: Settings, *, host: str, port: int) -> str:
    money = "demo money" if not settings.is_production else "REAL MONEY"
    data = "the database of DATABASE_URL" if settings.database_url else f"{settings.data_dir.absolute()}"
    scheme = "https" if settings.tls_cert else "http"
    shown = (local_certificate.address_in_the_network() or "localhost") if host in ("0.0.0.0", "::") else host  # noqa: S104
    address = f"{scheme}://{_in_address(shown)}:{port}"
    # To a browser they are two origins, so they are two wallets.
    second = f"    And here    {scheme}://localhost:{port}  (a second wallet)\n" if host == "127.0.0.1" else ""
    return (
        f"\n  TikiWallet is ready ({money}).\n\n"
        f"    Look here   {address}\n{second}"
        f"    The API     {address}/openapi.json\n"
        f"    Data        {data}\n"
        "    Stop        Ctrl-C\n"
    )


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host


commands.add_command(operator_commands)
for _command in PEOPLE_COMMANDS:
    commands.add_command(_command)
commands.add_command(rotate_session_key)


def main() -> None:
    """Run a command; an expected failure is one sentence on standard error and exit code 1."""
    try:
        commands(prog_name="tikiwallet")
    except CANNOT_START as error:
        click.echo(f"tikiwallet: {error}", err=True)
        sys.exit(1)
    except Refused as refused:
        click.echo(f"tikiwallet: {refused.detail} ({refused.code})", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()

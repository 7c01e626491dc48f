"""What the sources themselves show, of all of them: whom they talk to, what they import, where they write."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg

from security.test_access_matrix import operations
from tikiwallet.platform.browsers import SAFE_METHODS
from world import World

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "tikiwallet"
WEB = SRC / "web"
LIBRARIES = ("dist", "vendor")

# Who on the server opens connections, and to whom: docs/security/decisions.md, Communication.
TALKERS = {
    "asyncpg": {"PostgreSQL": {"platform/db.py", "platform/jobs.py", "platform/migrate.py", "platform/serving.py"}},
    "redis": {"Redis": {"platform/shared_counts.py"}},
}
CALLS = {"asyncpg": re.compile(r"asyncpg\.(connect|create_pool)\("), "redis": re.compile(r"^from redis", re.MULTILINE)}
OTHER_CLIENTS = re.compile(
    r"^\s*(?:import|from) (urllib3|urllib\.request|httpx|aiohttp|requests|smtplib|ftplib|http\.client|stripe|twilio)\b",
    re.MULTILINE,
)
# A GET that leaves a line in the audit log: everything that is held of a person was handed out.
AUDITED = {"GET /v1/me/export"}
# Patterns put together of our own constants: at set-up on our own files, and of the letters of scripts.
MADE_OF_CONSTANTS = {"web/setup.py", "payments/pdf_text.py"}
STRIPE = {
    f"funding/stripe/{name}.py" for name in ("balance", "client", "disputes", "events", "payments", "payouts", "people")
}
OTHER_TALKERS = {"identity/twilio_sms.py", *STRIPE}


def server_files() -> Iterator[tuple[str, str]]:
    for path in sorted(SRC.rglob("*.py")):
        name = str(path.relative_to(SRC))
        # A client, which talks to the server; and a program for trying things out, which never runs beside real money.
        if not name.startswith(("cli/", "stripe_standin/")):
            yield name, path.read_text()


def web_files() -> Iterator[tuple[str, str]]:
    for path in sorted(WEB.rglob("*.js")):
        if path.relative_to(WEB).parts[0] not in LIBRARIES:
            yield str(path.relative_to(WEB)), path.read_text()


def test_the_server_talks_to_whom_it_is_documented_to() -> None:
    for library, pattern in CALLS.items():
        (documented,) = TALKERS[library].values()
        assert {name for name, text in server_files() if pattern.search(text)} <= documented, library
    assert {name for name, text in server_files() if OTHER_CLIENTS.search(text)} == OTHER_TALKERS


def test_no_pattern_is_made_of_what_people_write() -> None:
    made = [
        f"{name}:{node.lineno}"
        for name, text in server_files()
        if name not in MADE_OF_CONSTANTS
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value) == "re"
        and not isinstance(node.args[0], ast.Constant)
    ]
    assert made == []
    assert [name for name, text in web_files() if re.search(r"new RegExp\((?![\"'`/])", text)] == []


def test_cryptography_is_by_libraries() -> None:
    """Only these modules of ours touch primitives, and none of them is one."""
    primitive = re.compile(r"^\s*(?:import|from) (cryptography|joserfc|argon2|hmac|ssl)\b", re.MULTILINE)
    allowed = {
        "funding/stripe/events.py", "identity/codes.py", "identity/keys.py", "identity/passwords.py",
        "identity/recovery_codes.py", "identity/refresh.py", "identity/tokens.py", "identity/twilio_sms.py",
        "offline/issuer.py", "offline/key_folder.py", "platform/local_certificate.py", "platform/serving.py",
    }  # fmt: skip
    assert {name for name, text in server_files() if primitive.search(text)} <= allowed


def test_logs_go_to_standard_error_only() -> None:
    handlers = re.compile(
        r"logging\.(FileHandler|handlers)|SysLogHandler|RotatingFile|WriteLoggerFactory\((?!file=sys\.stderr)"
    )
    assert [name for name, text in server_files() if handlers.search(text)] == []
    assert "StreamHandler(sys.stderr)" in (SRC / "platform" / "telemetry.py").read_text()


def test_nothing_redirects() -> None:
    assert [
        name for name, text in server_files() if re.search(r"\bRedirect\b|status=30[1278]|\"location\"", text)
    ] == []


def test_no_secret_travels_in_an_address(world: World) -> None:
    for name, operation in operations(world).items():
        in_address = [parameter for parameter, _ in operation.query] + re.findall(r"\{(\w+)\}", name)
        found = [part for part in in_address if re.search(r"password|token|secret|^code$|pin|^key$", part)]
        assert found == [], name


async def test_no_safe_method_changes_anything(world: World, database_url: str) -> None:
    """No GET writes, but for when a session was last seen."""
    (alice,) = await world.people(alice="50.00")
    safe = [name for name in operations(world) if name.split(" ")[0] in SAFE_METHODS]
    paths = [name.split(" ")[1] for name in safe if name not in AUDITED]
    for path in paths:  # whatever is made when somebody looks for the first time
        await alice.get(re.sub(r"\{\w+\}", str(alice.person_id), path))
    owner = await asyncpg.connect(database_url)
    try:
        before = await written(owner)
        for path in paths:
            await alice.get(re.sub(r"\{\w+\}", str(alice.person_id), path))
        assert await written(owner) == before
    finally:
        await owner.close()


async def written(owner: asyncpg.Connection) -> dict[str, str]:
    """The version of every row of each table: one that is new, changed or gone shows."""
    tables = await owner.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
        "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND tablename NOT LIKE '%pgqueuer%'"
    )
    versions = "SELECT coalesce(string_agg(xmin::text || ctid::text, ',' ORDER BY ctid), '') FROM "
    return {name: await owner.fetchval(versions + name) for (name,) in tables}


async def test_a_fresh_wallet_has_nobody_in_it(database_url: str) -> None:
    owner = await asyncpg.connect(database_url)
    try:
        assert await owner.fetchval("SELECT count(*) FROM identity.person") == 0
        assert await owner.fetchval("SELECT count(*) FROM identity.session") == 0
    finally:
        await owner.close()


def test_a_password_is_typed_into_a_field_that_managers_know() -> None:
    """Masked, filled in by a password manager, and pasted into: nothing forbids it."""
    texts = dict(web_files())
    fields = re.findall(r"type: \"password\".*|type=\"password\".*", "\n".join(texts.values()))
    fields = [field for field in fields if "numeric" not in field]  # the PIN is the phone's, nobody else keeps it
    assert len(fields) >= 3
    assert [field for field in fields if not re.search(r"autocomplete=\"(current|new)-password\"", field)] == []
    everything = "\n".join(texts.values())
    assert not re.search(r"onpaste|\"paste\"[^\n]*preventDefault", everything)


def test_no_object_is_written_by_a_name_that_came_from_elsewhere() -> None:
    found = [
        f"{name}: {line.strip()}"
        for name, text in web_files()
        for line in text.splitlines()
        if re.search(r"__proto__|\.prototype\b|Object\.setPrototypeOf|constructor\[", line)
    ]
    assert found == []


def test_every_component_is_pinned_by_its_hash_and_no_index_is_named() -> None:
    locks = sorted(ROOT.glob("requirements*.lock"))
    assert len(locks) >= 5
    for lock in locks:
        text = lock.read_text()
        pinned = re.findall(r"^[\w.-]+(?:\[[\w,-]+\])?==\S+.*(?:\n    .*)*", text, re.MULTILINE)
        assert len(pinned) > 0
        assert [entry.split("\n")[0] for entry in pinned if "--hash=sha256:" not in entry] == [], lock.name
        assert not re.search(r"--(extra-)?index-url|https?://", text), lock.name
    packages = (ROOT / "package-lock.json").read_text()
    assert packages.count('"resolved"') <= packages.count('"integrity"')

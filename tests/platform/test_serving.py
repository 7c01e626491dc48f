"""`tikiwallet serve` as an operator sees it: it starts, says where to look, stops cleanly, and explains itself."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import urllib3
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from processes import OPERATORS, Process, run
from tikiwallet.platform import local_certificate
from tikiwallet.platform.http import utc_now

READY_TIMEOUT_SECONDS = 60


class Server:
    """A real `tikiwallet serve` in a process of its own; where it `is_program`, started as an operator starts it."""

    def __init__(self, data_dir: Path, *, is_program: bool = False, **environment: str) -> None:
        environment = {**os.environ, "TIKIWALLET_DATA_DIR": str(data_dir), "TIKIWALLET_PORT": "0", **environment}
        self.process: subprocess.Popen[str] | Process = (
            subprocess.Popen(
                [sys.executable, "-m", "tikiwallet", "serve"],
                env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            if is_program
            else Process(OPERATORS, "serve", environment=environment)
        )  # fmt: skip

    def address(self) -> str:
        """Read the welcome until it says where to look."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(r"Look here +(https?://\S+)", line):
                return found[1]
        raise AssertionError(self.process.communicate(timeout=READY_TIMEOUT_SECONDS)[1])

    def stop(self, how: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Press Ctrl-C, or stop it in another way; return the exit code and what was said last."""
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=READY_TIMEOUT_SECONDS)
        assert err == ""
        return self.process.returncode, out.strip().rpartition("\n")[2]

    def stopped(self) -> None:
        """Wait until it is ready, and stop it."""
        self.address()
        self.stop()

    def failure(self) -> tuple[int, str]:
        """Wait for a start that fails; return the exit code and the sentence."""
        _, err = self.process.communicate(timeout=READY_TIMEOUT_SECONDS)
        return self.process.returncode, err.strip()


def get(address: str, path: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request("GET", address + path, retries=urllib3.Retry(connect=5, backoff_factor=0.1))


@pytest.fixture
def tls(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """The authority that clients trust, and the settings of a server with a certificate of it."""
    made = local_certificate.make(["localhost", "127.0.0.1"], now=utc_now())
    authority, chain, key = local_certificate.write(made, tmp_path / "tls")
    return authority, {"TIKIWALLET_TLS_CERT": str(chain), "TIKIWALLET_TLS_KEY": str(key)}


def test_with_a_certificate_it_serves_whoever_trusts_its_authority(
    begun_dir: Path, tls: tuple[Path, dict[str, str]]
) -> None:
    authority, settings = tls
    server = Server(begun_dir, **settings)
    address = server.address()
    port = address.rpartition(":")[2]
    assert address == f"https://127.0.0.1:{port}"
    trusting = urllib3.PoolManager(ca_certs=str(authority), retries=False)
    for host in ("127.0.0.1", "localhost"):
        page = trusting.request("GET", f"https://{host}:{port}/")
        assert page.status == 200
        assert b"app.js" in page.data
    assert trusting.request("GET", f"{address}/readyz").json() == {"status": "ok"}
    with pytest.raises(urllib3.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib3.PoolManager(retries=False).request("GET", f"{address}/healthz")
    assert server.stop() == (0, "TikiWallet has stopped. Your data is kept.")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"TIKIWALLET_TLS_KEY": ""}, "go together"),
        ({"TIKIWALLET_TLS_KEY": "/nowhere/server.key"}, "can't be read: No such file or directory"),
        ({"TIKIWALLET_TLS_CERT": __file__}, "not a certificate and its private key"),
    ],
    ids=["half", "missing", "something else"],
)
def test_a_certificate_that_cannot_be_used_stops_the_start(
    data_dir: Path, tls: tuple[Path, dict[str, str]], change: dict[str, str], sentence: str
) -> None:
    code, said = Server(data_dir, **{**tls[1], **change}).failure()
    assert code == 1
    assert sentence in said
    assert "\n" not in said


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(
    data_dir: Path, tls: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    key = load_pem_private_key(Path(tls[1]["TIKIWALLET_TLS_KEY"]).read_bytes(), password=None)
    locked = tmp_path / "locked.key"
    encryption = serialization.BestAvailableEncryption(b"secret")
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    locked.write_bytes(key.private_bytes(pem, form, encryption))
    code, said = Server(data_dir, **{**tls[1], "TIKIWALLET_TLS_KEY": str(locked)}).failure()
    assert (code, said) == (1, f"tikiwallet: The private key in {locked} has a passphrase; give one without.")


def test_it_serves_and_stops_and_starts_again(data_dir: Path) -> None:
    for _ in range(2):
        server = Server(data_dir, is_program=True)
        address = server.address()
        assert get(address, "/healthz").json() == {"status": "ok"}
        assert get(address, "/readyz").json() == {"status": "ok"}
        assert get(address, "/openapi.json").json()["openapi"] == "3.1.0"
        assert server.stop() == (0, "TikiWallet has stopped. Your data is kept.")
    assert not (data_dir / "postgres" / "postmaster.pid").exists()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP], ids=["a supervisor", "a closed terminal"])
def test_whoever_stops_it_the_database_stops_too(begun_dir: Path, how: signal.Signals) -> None:
    server = Server(begun_dir)
    assert get(server.address(), "/readyz").status == 200
    assert server.stop(how) == (0, "TikiWallet has stopped. Your data is kept.")
    assert not (begun_dir / "postgres" / "postmaster.pid").exists()


def test_a_part_that_cannot_start_is_one_sentence_and_nothing_is_said_to_be_ready(begun_dir: Path) -> None:
    Server(begun_dir).stopped()
    (begun_dir / "keys" / "issuer-1.pem").write_text("garbage")
    server = Server(begun_dir)
    out, err = server.process.communicate(timeout=READY_TIMEOUT_SECONDS)
    assert (server.process.returncode, out) == (1, "")
    sentence = f"tikiwallet: The offline keys in {begun_dir}/keys can't be read: restore the folder from a copy.\n"
    assert err == sentence
    assert not (begun_dir / "postgres" / "postmaster.pid").exists()


def rotate(data_dir: Path, *options: str) -> tuple[int, str, str]:
    """Run `tikiwallet rotate-issuer-key`; return exit code, output and complaint."""
    environment = {**os.environ, "TIKIWALLET_DATA_DIR": str(data_dir)}
    done = run(OPERATORS, "rotate-issuer-key", *options, environment=environment)
    return done.returncode, done.stdout, done.stderr


def test_a_running_server_makes_a_new_signing_key_known_at_once(begun_dir: Path) -> None:
    server = Server(begun_dir)
    address = server.address()
    before = get(address, "/v1/offline/issuer").json()
    safe = begun_dir.with_name("safe.pem")
    (begun_dir / "keys" / "root.pem").rename(safe)
    code, _, complaint = rotate(begun_dir)
    assert code == 1
    assert complaint.startswith(f"tikiwallet: The root key isn't at {begun_dir}/keys/root.pem: bring it back")
    code, said, _ = rotate(begun_dir, "--root-key", str(safe))
    assert (code, said.count("issuer_unknown")) == (0, 0)
    waiting = get(address, "/v1/offline/issuer").json()
    assert (len(waiting["issuer_keys"]), waiting["operator_key"]) == (2, before["operator_key"])
    code, said, _ = rotate(begun_dir, "--root-key", str(safe), "--overlap-days", "0")
    assert code == 0
    assert said.startswith("Key 3 is made. It signs from ")
    assert "issuer_unknown" in said
    begun = get(address, "/v1/offline/issuer").json()
    assert len(begun["issuer_keys"]) == 3
    assert begun["operator_key"] != before["operator_key"]
    server.process.send_signal(signal.SIGINT)
    _, said = server.process.communicate(timeout=READY_TIMEOUT_SECONDS)
    assert said.count("offline keys read again") == 2  # and nothing went wrong
    assert said.count("\n") == 2


def test_an_address_of_another_machine_is_said_so(data_dir: Path) -> None:
    code, sentence = Server(data_dir, TIKIWALLET_HOST="nowhere.invalid").failure()
    assert (code, sentence) == (1, "tikiwallet: nowhere.invalid:0 can't be used: Name or service not known.")


def test_a_folder_that_cannot_be_made_is_said_so() -> None:
    code, sentence = Server(Path("/proc/nowhere")).failure()
    assert code == 1
    assert (
        sentence == "tikiwallet: The folder /proc/nowhere can't be made here; set TIKIWALLET_DATA_DIR to one that can."
    )


def test_a_port_in_use_is_said_so(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, sentence = Server(data_dir, TIKIWALLET_PORT=str(port)).failure()
    assert code == 1
    assert sentence == (
        f"tikiwallet: Port {port} on 127.0.0.1 is in use: is the wallet running already? "
        "Stop the other program or set TIKIWALLET_PORT."
    )
    assert not data_dir.exists()  # nothing was begun


def test_a_contradiction_in_the_settings_stops_the_start(data_dir: Path) -> None:
    code, sentence = Server(data_dir, is_program=True, TIKIWALLET_MODE="production").failure()
    assert code == 1
    assert sentence.startswith("tikiwallet: TIKIWALLET_SMS_SENDER=console prints one-time codes")


def test_a_database_that_is_not_there_is_said_so(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    code, sentence = Server(data_dir, DATABASE_URL=f"postgresql://tiki:secret@127.0.0.1:{port}/tiki").failure()
    assert code == 1
    assert sentence == "tikiwallet: PostgreSQL at 127.0.0.1 can't be reached; check DATABASE_URL and that it runs."


def test_a_server_of_the_distribution_serves_as_well(debian_postgres: str, data_dir: Path) -> None:
    server = Server(data_dir, DATABASE_URL=debian_postgres)
    assert get(server.address(), "/readyz").json() == {"status": "ok"}
    assert server.stop()[0] == 0


def test_the_wrong_password_is_said_so(debian_postgres: str, data_dir: Path) -> None:
    code, sentence = Server(data_dir, DATABASE_URL=debian_postgres.replace("secret", "wrong")).failure()
    assert code == 1
    assert sentence.endswith("refused the user or password of DATABASE_URL.")

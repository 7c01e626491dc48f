"""The embedded server survives what machines do to it: kills, recycled pids, full disks, deep folders."""

import asyncio
import contextlib
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from tikiwallet.platform import embedded_postgres
from tikiwallet.platform.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError, shared_buffers_mib

HOLD = """
import sys, pathlib
from tikiwallet.platform.embedded_postgres import EmbeddedPostgres
with EmbeddedPostgres(pathlib.Path(sys.argv[1])):
    print("up", flush=True)
    sys.stdin.read()
"""


class Holder:
    """Another process that uses the same data folder."""

    def __init__(self, data_dir: Path, *prefix: str) -> None:
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", HOLD, str(data_dir)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line == "up\n", self.process.communicate()[1]

    def leave(self) -> None:
        self.process.communicate(timeout=60)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


def kill_all(family: list[psutil.Process]) -> None:
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):  # one that was leaving anyway
            process.kill()


def run_sql(server: EmbeddedPostgres, sql: str) -> object:
    async def go() -> object:
        connection = await asyncpg.connect(server.url())
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(go())


def server_pid(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def server(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(data_dir) as found:
        yield found


def test_the_next_start_has_the_data(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as server:
        run_sql(server, "CREATE TABLE kept AS SELECT 42 AS answer")
        pid = server_pid(data_dir)
    assert not is_running(pid)
    with EmbeddedPostgres(data_dir) as server:
        assert run_sql(server, "SELECT answer FROM kept") == 42


def test_only_who_knows_the_password_comes_in(server: EmbeddedPostgres, data_dir: Path) -> None:
    assert stat.S_IMODE(server.socket_dir().stat().st_mode) == 0o700
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((data_dir / "password").stat().st_mode) == 0o600
    assert run_sql(server, "SHOW listen_addresses") == ""

    async def with_wrong_password() -> None:
        await asyncpg.connect(server.url(), password="guess")

    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(with_wrong_password())


def test_the_last_process_to_leave_stops_the_server(data_dir: Path) -> None:
    first, second = Holder(data_dir), Holder(data_dir)
    pid = server_pid(data_dir)
    first.leave()
    assert is_running(pid)
    second.leave()
    assert not is_running(pid)


def test_a_killed_process_leaves_the_server_to_the_next(data_dir: Path) -> None:
    holder = Holder(data_dir)
    pid = server_pid(data_dir)
    holder.kill()
    assert is_running(pid)
    with EmbeddedPostgres(data_dir) as server:
        assert server_pid(data_dir) == pid
        assert run_sql(server, "SELECT 1") == 1
    assert not is_running(pid)


def test_no_row_is_lost_when_everything_is_killed(data_dir: Path) -> None:
    holder = Holder(data_dir)
    run_sql(EmbeddedPostgres(data_dir), "CREATE TABLE kept AS SELECT 42 AS answer")
    postmaster = psutil.Process(server_pid(data_dir))
    family = [postmaster, *postmaster.children(recursive=True)]
    holder.kill()
    kill_all(family)
    with EmbeddedPostgres(data_dir) as server:
        assert run_sql(server, "SELECT answer FROM kept") == 42


def test_a_recycled_pid_is_not_taken_for_the_server(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir):
        pid_file = (data_dir / "postgres" / "postmaster.pid").read_text()
    stale = pid_file.replace(pid_file.split("\n", 1)[0], str(os.getpid()), 1)
    (data_dir / "postgres" / "postmaster.pid").write_text(stale)
    with EmbeddedPostgres(data_dir) as server:
        assert run_sql(server, "SELECT 1") == 1


def test_a_start_that_was_cut_off_begins_again(data_dir: Path) -> None:
    (data_dir / "postgres.new" / "base").mkdir(parents=True)
    with EmbeddedPostgres(data_dir) as server:
        assert run_sql(server, "SELECT 1") == 1


def test_a_data_folder_too_deep_for_a_socket_works(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    with EmbeddedPostgres(deep) as server:
        assert not server.socket_dir().is_relative_to(deep)
        assert stat.S_IMODE(server.socket_dir().stat().st_mode) == 0o700
        assert run_sql(server, "SELECT 1") == 1


def test_a_short_socket_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    server = EmbeddedPostgres(deep)
    server.socket_dir().symlink_to(tmp_path)
    try:
        with pytest.raises(EmbeddedPostgresError, match="belongs to somebody else"):
            server.start()
    finally:
        server.socket_dir().unlink()


def test_a_data_folder_of_another_version_is_said_so(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir):
        pass
    (data_dir / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedPostgresError, match=r"made by PostgreSQL 16, but this release brings PostgreSQL 18"):
        EmbeddedPostgres(data_dir).start()


def test_a_file_in_the_way_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedPostgresError, match="is not a folder"):
        EmbeddedPostgres(tmp_path / "file").start()


def in_a_mount_of_its_own(mount: str, data_dir: Path) -> subprocess.CompletedProcess[str]:
    """Run a start with a file system of its own on `data_dir`'s parent."""
    data_dir.parent.mkdir(exist_ok=True)
    script = f"{mount} && exec {sys.executable} -c '{HOLD}' {data_dir} </dev/null"
    root = () if os.getuid() == 0 else ("--map-root-user",)
    return subprocess.run(
        ["unshare", "--mount", *root, "sh", "-c", script], check=False, capture_output=True, text=True
    )


def test_a_full_disk_is_said_so(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    ran = in_a_mount_of_its_own(f"mount -t tmpfs -o size=8m,mode=755 none {disk}", disk / "data")
    assert "EmbeddedPostgresError: The disk that holds" in ran.stderr, ran.stderr
    assert "is full; free some space" in ran.stderr


def test_a_read_only_folder_is_said_so(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    ran = in_a_mount_of_its_own(f"mount -t tmpfs -o ro none {disk}", disk / "data")
    assert f"EmbeddedPostgresError: The folder {disk / 'data'} is read-only" in ran.stderr, ran.stderr


def test_it_runs_as_root_and_as_an_ordinary_user(data_dir: Path) -> None:
    # The other of the two is played by a user namespace: files keep their owner, only the uid seen inside changes.
    other = "--map-user=1000" if os.getuid() == 0 else "--map-root-user"
    Holder(data_dir, "unshare", "--user", other).leave()
    with EmbeddedPostgres(data_dir) as server:
        assert run_sql(server, "SELECT 1") == 1


def test_processes_that_cannot_look_at_each_other_share_one_server(data_dir: Path) -> None:
    # As two rootless containers do: each may see the other's pid, and nothing more of it.
    first = Holder(data_dir, "unshare", "--user", "--map-user=1000")
    pid = server_pid(data_dir)
    second = Holder(data_dir, "unshare", "--user", "--map-user=1000")
    assert server_pid(data_dir) == pid
    first.leave()
    assert is_running(pid)
    second.leave()
    assert not is_running(pid)


def test_a_server_of_somebody_that_does_not_answer_is_left_alone(data_dir: Path) -> None:
    holder = Holder(data_dir)
    postmaster = psutil.Process(server_pid(data_dir))
    family = [postmaster, *postmaster.children(recursive=True)]
    kill_all(family)
    psutil.wait_procs(family, timeout=60)
    with pytest.raises(EmbeddedPostgresError, match=r"Another process uses .* stop that process first"):
        EmbeddedPostgres(data_dir).start()
    assert (data_dir / "postgres" / "postmaster.pid").exists()
    holder.kill()
    with EmbeddedPostgres(data_dir) as server:
        assert run_sql(server, "SELECT 1") == 1


def test_a_terminal_interrupt_does_not_reach_the_server(data_dir: Path) -> None:
    holder = Holder(data_dir)
    pid = server_pid(data_dir)
    assert os.getpgid(pid) != os.getpgid(holder.process.pid)
    holder.process.send_signal(signal.SIGINT)
    holder.process.communicate(timeout=60)
    assert not is_running(pid)  # it was stopped by the process, in order, and not by the signal


def test_no_setting_trades_money_for_speed(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as server:
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
            assert run_sql(server, f"SHOW {setting}") == "on", setting
        assert run_sql(server, "SELECT setting::int * 8 / 1024 FROM pg_settings WHERE name = 'shared_buffers'") == (
            shared_buffers_mib()
        )


@pytest.mark.parametrize(
    ("machine_mib", "limit", "expected_mib"),
    [
        (256, None, 128),
        (2048, None, 512),
        (65536, None, 1024),
        (65536, "max\n", 1024),
        (65536, "1073741824\n", 256),
        (2048, "9223372036854771712\n", 512),
    ],
)
def test_a_small_machine_keeps_its_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, machine_mib: int, limit: str | None, expected_mib: int
) -> None:
    """A quarter of the machine's, or of what a container may use."""
    if limit is not None:
        (tmp_path / "memory.max").write_text(limit)
    monkeypatch.setattr(embedded_postgres, "MEMORY_LIMIT_FILE", tmp_path / "memory.max")
    memory = psutil.virtual_memory()._replace(total=machine_mib * 2**20)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    assert shared_buffers_mib() == expected_mib

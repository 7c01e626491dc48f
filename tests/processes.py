"""Processes of the product that start at once: forked from one that has imported the product and does nothing else.

A start spends a second on importing what every other start imports too; a test run starts a hundred. What is asked
here has the interface of `subprocess`. How a process starts from nothing is tests/platform/test_serving.py's.
"""

import contextlib
import importlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import TextIO

OPERATORS = "tikiwallet.__main__"  # `tikiwallet`
PEOPLE = "tikiwallet.cli.main"  # `tiki`
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([OPERATORS, PEOPLE])


class Process:
    """A process that runs the `main` of a module, with its words and nothing but its environment.

    Its standard output is `stdout`; its standard error goes there too, or to the file `log`, or to `stderr`.
    """

    def __init__(
        self, module: str, *words: str, environment: Mapping[str, str], log: TextIO | None = None, is_one: bool = False
    ) -> None:
        reading, writing = _context.Pipe(duplex=False)
        complaining, complaint = _context.Pipe(duplex=False)
        said = Connection(os.dup(log.fileno()), readable=False) if log is not None else writing if is_one else complaint
        self._process = _context.Process(
            target=become, args=(module, words, dict(environment), writing, said), daemon=True
        )
        self._process.start()
        for end in {writing, complaint, said}:
            end.close()
        assert self._process.pid is not None
        self.pid = self._process.pid
        self.stdout = os.fdopen(os.dup(reading.fileno()), encoding="utf-8")
        self.stderr = os.fdopen(os.dup(complaining.fileno()), encoding="utf-8")
        reading.close()
        complaining.close()

    @property
    def returncode(self) -> int | None:
        """What it ended with, as `subprocess` says it; None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it as the power would."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float) -> int:
        """Wait for its end; return what it ended with."""
        self._process.join(timeout)
        found = self._process.exitcode
        if found is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout)
        return found

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Read all that it says, and wait for its end."""
        # What it says is little, so that no pipe fills while the other is read.
        said = (self.stdout.read(), self.stderr.read())
        self.wait(timeout)
        self.close()
        return said

    def close(self) -> None:
        """Close what it said."""
        self.stdout.close()
        self.stderr.close()


def run(
    module: str, *words: str, environment: Mapping[str, str], is_one: bool = False, timeout_seconds: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, whatever it ends with."""
    process = Process(module, *words, environment=environment, is_one=is_one)
    out, err = process.communicate(timeout_seconds)
    return subprocess.CompletedProcess(words, process.wait(timeout_seconds), out, err)


def become(
    module: str, words: tuple[str, ...], environment: dict[str, str], output: Connection, errors: Connection
) -> None:
    """Be that command, from here to the end of the process."""
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(output.fileno(), 1)
    os.dup2(errors.fileno(), 2)
    for end in {output, errors}:
        end.close()
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for the rest of the process
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    sys.argv = [module, *words]
    try:
        importlib.import_module(module).main()
    except BaseException as error:
        if not isinstance(error, SystemExit):
            traceback.print_exc()
        raise SystemExit(_status(error)) from None
    finally:
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.flush()


def _status(error: BaseException) -> int:
    if not isinstance(error, SystemExit):
        return 1
    return error.code if isinstance(error.code, int) else int(error.code is not None)

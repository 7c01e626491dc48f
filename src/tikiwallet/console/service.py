"""The console put together: what `app.py` builds and hands to the routes. Every use case says who does it (`By`)."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tikicash.messages import to_code
from tikiwallet.console.corrections import NamedCorrections
from tikiwallet.console.stuck import Stuck
from tikiwallet.console.types import (
    DoubleSpendView,
    PersonSession,
    PersonView,
    ReconciliationAnswer,
    RiskAnswer,
    RolesOrder,
    StuckItem,
    TierOrder,
    TierSet,
)
from tikiwallet.funding.service import Funding
from tikiwallet.identity.directory import ERASED
from tikiwallet.identity.operator_accounts import Operator, OperatorIsYou
from tikiwallet.identity.operator_sessions import SignedInOperator
from tikiwallet.identity.operators import PersonUnknown
from tikiwallet.identity.phones import mask
from tikiwallet.identity.service import Identity
from tikiwallet.identity.types import FreezeReason, Person, PersonId
from tikiwallet.ledger.corrections import Corrections
from tikiwallet.ledger.types import Ledger
from tikiwallet.offline.service import Offline
from tikiwallet.payments.service import Payments
from tikiwallet.platform.audit import By

LINES_SHOWN_MAX: Final = 200
DOUBLE_SPENDS_SHOWN_MAX: Final = 100
RECONCILED: Final = timedelta(days=35)


class Console:
    """What operators do about people, money in the books, and other operators."""

    def __init__(
        self,
        *,
        identity: Identity,
        payments: Payments,
        funding: Funding,
        offline: Offline,
        ledger: Ledger,
        corrections: Corrections,
        stuck: Stuck,
    ) -> None:
        self._identity = identity
        self._payments = payments
        self._funding = funding
        self._offline = offline
        self.sessions = identity.operator_sessions
        self.traces = identity.operator_traces
        self.throttling = identity.throttling
        self._stuck = stuck
        self.corrections = NamedCorrections(
            corrections=corrections, ledger=ledger, wallets=payments.wallets, people=identity.operators,
            directory=identity.people, operators=identity.operator_accounts,
        )  # fmt: skip

    async def look_up(self, who: str, *, reason: str, by: By, now: datetime) -> PersonView:
        """Return a person by username or phone number. Refusal: `PersonUnknown`, which is written down too."""
        try:
            person = await self._identity.operators.find(who)
        except PersonUnknown:
            await self.traces.looks_up(None, reason=reason, by=by, now=now)
            raise
        await self.traces.looks_up(person.person_id, reason=reason, by=by, now=now)
        return await self._view(person, now=now)

    async def end_sessions(self, person_id: UUID, *, reason: str, by: By, now: datetime) -> PersonView:
        """Sign a person out everywhere. Refusal: `PersonUnknown`."""
        person = await self._person(person_id)
        await self.traces.end_sessions(person.person_id, reason=reason, by=by, now=now)
        return await self._view(person, now=now)

    async def freeze(self, person_id: UUID, because: FreezeReason, *, reason: str, by: By, now: datetime) -> PersonView:
        """Let nothing leave a person's wallet any more. Refusals: `PersonUnknown`, `PersonClosed`."""
        person = await self._person(person_id)
        frozen = await self._identity.operators.freeze(person, because, note=reason, by=by, now=now)
        return await self._view(frozen, now=now)

    async def unfreeze(self, person_id: UUID, *, reason: str, by: By, now: datetime) -> PersonView:
        """Let a frozen wallet work again. Refusal: `PersonUnknown`."""
        person = await self._person(person_id)
        active = await self._identity.operators.unfreeze(person, note=reason, by=by, now=now)
        return await self._view(active, now=now)

    async def set_tier(self, order: TierOrder, *, by: By, now: datetime) -> TierSet:
        """Give a person a tier and its limits. Refusal: `PersonUnknown`."""
        person = await self._identity.operators.set_tier(order.who, order.tier, note=order.reason, by=by, now=now)
        await self._payments.wallets.apply_tier(person.person_id, person.tier)
        return TierSet(username=person.username, tier=person.tier)

    async def stuck(self, *, by: By, now: datetime) -> list[StuckItem]:
        """Return what waits or fails, of everybody."""
        await self.traces.looks_at("stuck", by=by, now=now)
        return await self._stuck.everything(now=now)

    async def risk(self, *, by: By, now: datetime) -> RiskAnswer:
        """Return what is promised and who spent twice."""
        await self.traces.looks_at("risk", by=by, now=now)
        figures = await self._offline.figures(now=now)
        found = (await self._offline.double_spends())[-DOUBLE_SPENDS_SHOWN_MAX:]
        people = await self._identity.people.people(list({item.person_id for item in found}))
        exposure = figures.exposure
        return RiskAnswer(
            currency=self._offline.policy.currency, promised_minor=exposure.total_minor,
            cover_minor=exposure.cover_minor, guarantee_minor=exposure.guarantee_minor,
            early_release_minor=exposure.early_release_minor, limit_minor=exposure.limit_minor,
            is_paused=exposure.is_paused, paid_guarantee_minor=figures.paid_guarantee_minor,
            paid_cover_minor=figures.paid_cover_minor, debt_minor=figures.debt_minor,
            vouchers_open=figures.vouchers_open, closes_stuck=figures.closes_stuck,
            double_spends=[
                DoubleSpendView(
                    found_at=item.found_at, username=people[item.person_id].username, phone_name=item.device_name,
                    key_id=item.spend.key_id.hex(), amount_minor=item.spend.count, is_notice=item.is_notice,
                    proof=to_code(item.proof),
                )
                for item in reversed(found)
            ],
        )  # fmt: skip

    async def reconciliation(self, *, by: By, now: datetime) -> ReconciliationAnswer:
        """Return our books against the provider, for the last weeks."""
        await self.traces.looks_at("reconciliation", by=by, now=now)
        since = now - RECONCILED
        if self._funding.provider is None:
            return ReconciliationAnswer(
                is_compared=False, is_right=False, as_of=now, since=since, lines=[], lines_left_out=0, held=[]
            )
        found = await self._funding.reconcile_bank(since=since, now=now)
        return ReconciliationAnswer(
            is_compared=True, is_right=found.is_right, as_of=found.as_of, since=found.since,
            lines=list(found.lines[:LINES_SHOWN_MAX]), lines_left_out=max(0, len(found.lines) - LINES_SHOWN_MAX),
            held=list(found.held),
        )  # fmt: skip

    async def operators(self, *, by: By, now: datetime) -> list[Operator]:
        """Return all operators."""
        await self.traces.looks_at("operators", by=by, now=now)
        return await self._identity.operator_accounts.all()

    async def set_roles(
        self, operator_id: UUID, order: RolesOrder, operator: SignedInOperator, *, by: By, now: datetime
    ) -> list[Operator]:
        """Change another operator's roles. Refusals: `OperatorIsYou`, `OperatorUnknown`, `OperatorDisabled`."""
        if operator_id == operator.operator_id:
            raise OperatorIsYou
        await self._identity.operator_accounts.set_roles(
            operator_id, order.roles, reason=order.reason, by=by, now=now
        )  # fmt: skip
        return await self._identity.operator_accounts.all()

    async def disable(
        self, operator_id: UUID, operator: SignedInOperator, *, reason: str, by: By, now: datetime
    ) -> list[Operator]:
        """Let another operator be one no more. Refusals: `OperatorIsYou`, `OperatorUnknown`."""
        if operator_id == operator.operator_id:
            raise OperatorIsYou
        await self._identity.operator_accounts.disable(operator_id, reason=reason, by=by, now=now)
        return await self._identity.operator_accounts.all()

    async def _person(self, person_id: UUID) -> Person:
        person = await self._identity.people.person(PersonId(person_id))
        if person is None:
            raise PersonUnknown
        return person

    async def _view(self, person: Person, *, now: datetime) -> PersonView:
        sessions = await self.traces.sessions_of(person.person_id, now=now)
        return PersonView(
            person_id=person.person_id, username=person.username, tier=person.tier, state=person.state,
            phone_masked=mask(person.phone) if person.phone != ERASED else "", frozen_because=person.frozen_because,
            sessions=[
                PersonSession(label=each.label, issued_at=each.issued_at, last_seen_at=each.last_seen_at)
                for each in sessions
            ],
            stuck=await self._stuck.of_person(person.person_id, username=person.username, now=now),
        )  # fmt: skip

"""The identity context put together, once per process: what `app.py` builds and hands to the routes."""

from datetime import datetime, timedelta

from tikiwallet.identity.closing import CloseAccounts, Closings, FindObstacles
from tikiwallet.identity.codes import OneTimeCodes, read_code_key
from tikiwallet.identity.directory import People
from tikiwallet.identity.export import ExportParts, Exports
from tikiwallet.identity.forgetting import Forgetting
from tikiwallet.identity.keys import KeyRing, make_signing_key
from tikiwallet.identity.known_devices import KnownDevices
from tikiwallet.identity.notices import Notices
from tikiwallet.identity.operator_accounts import OperatorAccounts
from tikiwallet.identity.operator_sessions import OperatorSessions
from tikiwallet.identity.operator_traces import OperatorTraces
from tikiwallet.identity.operators import Operators
from tikiwallet.identity.outgoing import OutgoingCaps, read_caps
from tikiwallet.identity.passkeys import Passkeys, relying_party
from tikiwallet.identity.password_changes import PasswordChanges
from tikiwallet.identity.password_resets import PasswordResets
from tikiwallet.identity.passwords import PasswordHasher
from tikiwallet.identity.phone_changes import PhoneChanges
from tikiwallet.identity.phones import PhoneRules
from tikiwallet.identity.proofs import Proofs
from tikiwallet.identity.recovery_codes import RecoveryCodes
from tikiwallet.identity.refresh import Refreshes
from tikiwallet.identity.registration import PrepareWallet, Registrations
from tikiwallet.identity.rows import rows_of
from tikiwallet.identity.second_proof import SecondProofs
from tikiwallet.identity.sessions import Lives, Sessions
from tikiwallet.identity.sms import ConsoleSms, FileSms, SmsSender
from tikiwallet.identity.sms_budget import SmsBudget
from tikiwallet.identity.step_up import StepUps
from tikiwallet.identity.table_counts import TableCounts
from tikiwallet.identity.text_proofs import TextProofs
from tikiwallet.identity.text_reports import TextReports
from tikiwallet.identity.texts import TextMessages
from tikiwallet.identity.throttling import Throttling
from tikiwallet.identity.twilio_reports import TwilioReports
from tikiwallet.identity.twilio_sms import TwilioSms
from tikiwallet.identity.verification import Verifications
from tikiwallet.identity.waiting_changes import WaitingChanges
from tikiwallet.platform.config import Settings
from tikiwallet.platform.db import Database
from tikiwallet.platform.throttle import Throttle


class Identity:
    """People, their sign-ups and sessions.

    `prepare_wallet` is awaited before a verified person is committed and must be repeatable; the next three speak for
    the other contexts when somebody leaves or wants his data; `sms` replaces the sender that the settings name. Raises
    `ConfigError` if they name a country nobody knows.
    """

    def __init__(
        self,
        db: Database,
        settings: Settings,
        *,
        prepare_wallet: PrepareWallet,
        find_obstacles: FindObstacles,
        close_accounts: CloseAccounts,
        export_parts: ExportParts,
        sms: SmsSender | None = None,
    ) -> None:
        self.database = db
        phones = PhoneRules(countries=settings.phone_countries, default_country=settings.phone_country)
        hasher = PasswordHasher(
            memory_kib=settings.password_memory_kib, passes=settings.password_passes, lanes=settings.password_lanes
        )
        key = read_code_key(settings.data_dir, configured=settings.code_key)
        codes = OneTimeCodes(db, key=key)
        self.throttle = Throttle(settings, key=key, table=TableCounts(db))
        self.throttling = Throttling(self.throttle, settings, phones=phones)
        self._put_texts_together(db, settings, sms=sms)
        self.keys = KeyRing(db)
        self._rows = rows_of(db)
        self.people = People(db, rows=self._rows, phones=phones)
        self._put_proofs_together(db, settings, key=key, codes=codes, hasher=hasher)
        self._put_sessions_together(db, settings, key=key, hasher=hasher, phones=phones)
        self._put_recovery_together(db, settings, codes=codes, hasher=hasher, phones=phones)
        self.registrations = Registrations(
            db, codes=codes, sessions=self.sessions, hasher=hasher, phones=phones, texts=self.texts,
            throttling=self.throttling, prepare_wallet=prepare_wallet,
        )  # fmt: skip
        self.operators = Operators(db, people=self.people)
        self.operator_accounts = OperatorAccounts(db)
        self.operator_sessions = OperatorSessions(db, relying_party=relying_party(settings))
        self.operator_traces = OperatorTraces(db, sessions=self.sessions)
        self.verifications = Verifications(db, operators=self.operators)
        self.closings = Closings(db, find_obstacles=find_obstacles, close_accounts=close_accounts)
        self.exports = Exports(db, parts=export_parts)
        self.forgetting = Forgetting(db)

    def _put_texts_together(self, db: Database, settings: Settings, *, sms: SmsSender | None) -> None:
        reports = TextReports(db)
        sms = sms or make_sms_sender(settings, reports=reports)
        self.twilio_reports = TwilioReports(reports, sender=sms if isinstance(sms, TwilioSms) else None)
        budget = SmsBudget(db, per_hour_max=settings.texts_per_hour_max, per_day_max=settings.texts_per_day_max)
        self.texts = TextMessages(sender=sms, throttling=self.throttling, budget=budget)

    def _put_proofs_together(
        self, db: Database, settings: Settings, *, key: bytes, codes: OneTimeCodes, hasher: PasswordHasher
    ) -> None:
        texts = TextProofs(db, codes=codes, texts=self.texts, throttling=self.throttling)
        self.step_up = StepUps(db)
        self.passkeys = Passkeys(db, relying_party=relying_party(settings), step_up=self.step_up)
        self.recovery_codes = RecoveryCodes(db, key=key, step_up=self.step_up)
        self.second_proofs = SecondProofs(
            db, recovery_codes=self.recovery_codes, texts=texts, throttling=self.throttling
        )
        self.proofs = Proofs(
            db, hasher=hasher, passkeys=self.passkeys, recovery_codes=self.recovery_codes, texts=texts,
            step_up=self.step_up, throttling=self.throttling,
        )  # fmt: skip

    def _put_sessions_together(
        self, db: Database, settings: Settings, *, key: bytes, hasher: PasswordHasher, phones: PhoneRules
    ) -> None:
        self.devices = KnownDevices(db)
        self.notices = Notices(db, texts=self.texts, throttling=self.throttling)
        self.waiting_changes = WaitingChanges(
            db, texts=self.texts, cap=timedelta(seconds=settings.outgoing_cap_seconds)
        )
        lives = Lives(
            session=timedelta(seconds=settings.session_ttl_seconds),
            idle=timedelta(seconds=settings.session_idle_seconds),
            access_token=timedelta(seconds=settings.access_token_seconds),
        )
        self.sessions = Sessions(
            db, rows=self._rows, keys=self.keys, hasher=hasher, phones=phones, devices=self.devices,
            second_proofs=self.second_proofs, notices=self.notices, waiting=self.waiting_changes, lives=lives,
        )  # fmt: skip
        self.refreshes = Refreshes(
            db, sessions=self.sessions, notices=self.notices, throttling=self.throttling, key=key
        )

    def _put_recovery_together(
        self, db: Database, settings: Settings, *, codes: OneTimeCodes, hasher: PasswordHasher, phones: PhoneRules
    ) -> None:
        wait = timedelta(seconds=settings.recovery_wait_seconds)
        self.outgoing = OutgoingCaps(db, max_minor=read_caps(settings.outgoing_caps, currencies=settings.currencies))
        self.password_changes = PasswordChanges(db, hasher=hasher, texts=self.texts, throttling=self.throttling)
        self.password_resets = PasswordResets(
            db, codes=codes, hasher=hasher, phones=phones, texts=self.texts, throttling=self.throttling, wait=wait
        )
        self.phone_changes = PhoneChanges(
            db, codes=codes, phones=phones, texts=self.texts, throttling=self.throttling, step_up=self.step_up,
            waiting=self.waiting_changes, wait=wait,
        )  # fmt: skip

    async def start(self, *, now: datetime) -> None:
        """Make the first signing key if there is none. Runs after the database is open, before the first request."""
        await self.keys.ensure(make_signing_key(), now=now)


def make_sms_sender(settings: Settings, *, reports: TextReports) -> SmsSender:
    """Return the sender that the settings name: "console", "file" (`<data_dir>/sms.jsonl`) or "twilio"."""
    if settings.sms_sender == "twilio":
        return TwilioSms(settings, reports)
    if settings.sms_sender == "console":
        return ConsoleSms()
    assert settings.sms_sender == "file", settings.sms_sender  # config.py refuses other names
    return FileSms(settings.data_dir / "sms.jsonl")

"""What is decided before any money moves: which bank, and what every state is called."""

import pytest

from tikiwallet.funding.banks import choose_demo_bank
from tikiwallet.funding.demo_bank import DemoBank
from tikiwallet.funding.sentences import SENTENCES
from tikiwallet.funding.types import OperationKind, OperationState
from tikiwallet.platform.config import ConfigError, Settings, read_settings


def test_production_refuses_the_demo_bank() -> None:
    production = {"TIKIWALLET_MODE": "production", "TIKIWALLET_SMS_SENDER": "file"}
    with pytest.raises(ConfigError, match="TIKIWALLET_BANK=demo gives money away"):
        choose_demo_bank(read_settings({**production, "TIKIWALLET_BANK": "demo"}))
    assert choose_demo_bank(read_settings(production)) is None
    assert isinstance(choose_demo_bank(Settings()), DemoBank)
    with pytest.raises(ConfigError, match="TIKIWALLET_BANK must be demo, stripe or none"):
        read_settings({"TIKIWALLET_BANK": "piggy"})


def test_every_state_that_can_be_has_a_sentence() -> None:
    cannot_be = {
        (OperationKind.TOP_UP, OperationState.RESERVED),
        (OperationKind.TOP_UP, OperationState.REFUSED),
        (OperationKind.WITHDRAWAL, OperationState.RETURNED),
    }
    assert set(SENTENCES) == {(kind, state) for kind in OperationKind for state in OperationState} - cannot_be

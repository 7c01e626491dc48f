"""The operators' routes about money: what is stuck, what is promised, whether the books are right, corrections."""

from uuid import UUID

from litestar import Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from tikiwallet.console.http import AnyRequest, asking, console, operator, operator_route
from tikiwallet.console.rights import Right
from tikiwallet.console.types import (
    CorrectionOrder,
    CorrectionsAnswer,
    CorrectionView,
    OwnAccount,
    ReconciliationAnswer,
    RiskAnswer,
    Side,
    StuckAnswer,
)
from tikiwallet.identity.operators import PersonUnknown
from tikiwallet.ledger.corrections import (
    AccountNotCorrectable,
    CorrectionDecided,
    CorrectionExpired,
    CorrectionNeedsAnother,
    CorrectionUnknown,
)
from tikiwallet.ledger.types import InsufficientFunds, LimitExceeded, WalletClosed
from tikiwallet.platform.http import clock_now, idempotency_key, read, respond
from tikiwallet.platform.money import Amount, CurrencyNotOffered

EXAMPLE = CorrectionOrder(
    debit=Side(own=OwnAccount.BANK), credit=Side(person="alice"), amount=Amount(amount_minor=1250, currency="SGD"),
    reason="top-up of 26 November was paid in twice",
)  # fmt: skip


def routes() -> list[HTTPRouteHandler]:
    """Return the routes; they find the console in `app.state.console`."""
    return [
        list_stuck, show_risk, show_reconciliation, list_corrections, propose_correction, approve_correction,
        reject_correction,
    ]  # fmt: skip


@operator_route(
    "GET", "/v1/operator/stuck", right=Right.SEE_STUCK, summary="What is stuck, and why?", answer=StuckAnswer
)
async def list_stuck(request: AnyRequest) -> Response[bytes]:
    """List what waits or fails, of everybody, each with a sentence; what needs a person first."""
    found = await console(request).stuck(by=asking(request), now=clock_now(request))
    return respond(StuckAnswer(items=found))


@operator_route(
    "GET", "/v1/operator/risk", right=Right.SEE_RISK, summary="What is promised, and who spent twice?",
    answer=RiskAnswer,
)  # fmt: skip
async def show_risk(request: AnyRequest) -> Response[bytes]:
    """Show the operator's exposure and the proofs of double spends."""
    return respond(await console(request).risk(by=asking(request), now=clock_now(request)))


@operator_route(
    "GET", "/v1/operator/reconciliation", right=Right.SEE_RECONCILIATION, summary="Are the books right?",
    answer=ReconciliationAnswer,
)  # fmt: skip
async def show_reconciliation(request: AnyRequest) -> Response[bytes]:
    """Compare the books of the last weeks with the provider; what is wrong first."""
    return respond(await console(request).reconciliation(by=asking(request), now=clock_now(request)))


@operator_route(
    "GET", "/v1/operator/corrections", right=Right.CORRECT, summary="Which corrections are there?",
    answer=CorrectionsAnswer,
)  # fmt: skip
async def list_corrections(request: AnyRequest) -> Response[bytes]:
    """List the newest corrections."""
    now = clock_now(request)
    await console(request).traces.looks_at("corrections", by=asking(request), now=now)
    return respond(CorrectionsAnswer(items=await console(request).corrections.newest(operator(request), now=now)))


@operator_route(
    "POST", "/v1/operator/corrections", right=Right.CORRECT, summary="Propose a correction", body=CorrectionOrder,
    answer=CorrectionView, status=201, idempotent=True, example=EXAMPLE,
    refusals=(CurrencyNotOffered, PersonUnknown, InsufficientFunds, WalletClosed, AccountNotCorrectable),
)  # fmt: skip
async def propose_correction(request: AnyRequest) -> Response[bytes]:
    """Propose to move money because something went wrong. Another operator has to approve it within 24 hours."""
    order = await read(request, CorrectionOrder)
    proposed = await console(request).corrections.propose(
        order, operator(request), key=idempotency_key(request), by=asking(request), now=clock_now(request)
    )
    return respond(proposed, status=201)


@operator_route(
    "POST", "/v1/operator/corrections/{correction_id:uuid}/approval", right=Right.CORRECT,
    summary="Approve a correction", answer=CorrectionView,
    refusals=(
        CorrectionUnknown, CorrectionDecided, CorrectionExpired, CorrectionNeedsAnother, InsufficientFunds,
        LimitExceeded, WalletClosed,
    ),
)  # fmt: skip
async def approve_correction(request: AnyRequest, correction_id: FromPath[UUID]) -> Response[bytes]:
    """Post what another operator proposed. Approving it again changes nothing."""
    return respond(
        await console(request).corrections.approve(
            correction_id, operator(request), by=asking(request), now=clock_now(request)
        )
    )


@operator_route(
    "POST", "/v1/operator/corrections/{correction_id:uuid}/rejection", right=Right.CORRECT,
    summary="Reject a correction", answer=CorrectionView, refusals=(CorrectionUnknown, CorrectionDecided),
)  # fmt: skip
async def reject_correction(request: AnyRequest, correction_id: FromPath[UUID]) -> Response[bytes]:
    """Let a correction never be posted; who proposed it may take it back by this."""
    return respond(
        await console(request).corrections.reject(
            correction_id, operator(request), by=asking(request), now=clock_now(request)
        )
    )

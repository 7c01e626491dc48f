"""The route by which the provider of text messages reports what became of them."""

from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from tikiwallet.identity.service import Identity
from tikiwallet.identity.text_reports import TextMessageUnknown
from tikiwallet.identity.twilio_reports import FORM_BYTES_MAX, FORM_FIELDS_MAX, ReportRefused
from tikiwallet.platform.http import BodyTooLarge, RequestInvalid, clock_now, no_content, route

AnyRequest = Request[Any, Any, Any]


def routes() -> list[HTTPRouteHandler]:
    """Return the routes; they find the context in `app.state.identity`."""
    return [report_text_message]


@route(
    "POST", "/v1/text-messages/{message_id:uuid}/status", summary="What became of a text message", tag="operations",
    status=204, signed_in=False, refusals=(ReportRefused, TextMessageUnknown),
)  # fmt: skip
async def report_text_message(request: AnyRequest, message_id: FromPath[UUID]) -> Response[None]:
    """Take a report, a form that the provider signed (X-Twilio-Signature); one that is old or comes twice is fine."""
    identity: Identity = request.app.state.identity
    await identity.twilio_reports.take(
        message_id,
        await _form(request),
        path=request.scope["path"],
        signature=request.headers.get("x-twilio-signature", ""),
        now=clock_now(request),
    )
    return no_content()


async def _form(request: AnyRequest) -> dict[str, str]:
    raw = await request.body()
    if len(raw) > FORM_BYTES_MAX:
        raise BodyTooLarge
    try:
        pairs = parse_qsl(
            raw.decode(), keep_blank_values=True, strict_parsing=bool(raw), max_num_fields=FORM_FIELDS_MAX
        )
    except ValueError as error:
        raise RequestInvalid("The body isn't a form.") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise RequestInvalid("A field stands in the form twice.")
    return form

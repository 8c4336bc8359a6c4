"""OpenAI's own schemas, to hold answers against."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FILE = Path(__file__).parent / "data" / "openai_schemas.json"


def check(answer: Any, schema: str) -> None:
    """Raises jsonschema.ValidationError, naming the place, if the answer does not fit."""
    validator(schema).validate(answer)


@cache
def validator(schema: str) -> Draft202012Validator:
    document = with_nulls(json.loads(FILE.read_text()))
    return Draft202012Validator({**document, "$ref": f"#/components/schemas/{schema}"})


def with_nulls(schema: Any) -> Any:
    """OpenAPI's old `nullable: true`, which the document still uses, as JSON Schema says it."""
    if isinstance(schema, list):
        return [with_nulls(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: with_nulls(value) for key, value in schema.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain

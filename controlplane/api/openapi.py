"""The OpenAPI 3.1 document, made from the routes and their models."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from controlplane.api.problems import STATUS
from controlplane.api.routing import Route
from shared.errors import ErrorCode

_REFERENCE: Final = "#/components/schemas/{model}"
_PARAMETER: Final = re.compile(r"\{(\w+)(?::[^}]+)?\}")
_PROBLEMS: Final = (400, 401, 403, 404, 409, 429, 503)


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """Paths, models and refusals; every model once."""
    routes = list(routes)
    wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = []
    for route in routes:
        wanted += [(route.body, "validation")] if route.body else []
        wanted += [(route.answer, "serialization")] if route.answer else []
    references, schemas = models_json_schema(
        list(dict.fromkeys(wanted)), ref_template=_REFERENCE, schema_generator=GenerateJsonSchema
    )
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = _PARAMETER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Edge Transcoder",
            "version": version("edge-transcoder"),
            "description": "Transcoding on your own hardware.",
        },
        "paths": paths,
        "components": {
            "schemas": {**schemas["$defs"], "Problem": _PROBLEM},
            "headers": _HEADERS,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}],
    }


def _operation(route: Route, references: Any) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done.", "headers": _headers("RateLimit")}
    if route.answer is not None:
        success["content"] = {"application/json": {"schema": references[route.answer, "serialization"]}}
        if route.is_stream:
            success["content"]["text/event-stream"] = {"schema": {"type": "string"}}
        if route.also_as is not None:
            success["content"][route.also_as] = {"schema": {"type": "string"}}
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": route.operation,
        "tags": [route.tag],
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": {
            str(route.status): success,
            **{str(status): _refusal(status) for status in _PROBLEMS},
        },
        "x-permission": route.permission,
        "x-counted-as": route.counted_as,
    }
    if route.body is not None:
        schema = references[route.body, "validation"]
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(route.path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema = route.query.model_json_schema(ref_template=_REFERENCE)
    definitions = schema.get("$defs", {})
    return [
        {"name": name, "in": "query", "required": False, "schema": _inlined(field, definitions)}
        for name, field in schema["properties"].items()
    ]


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, dict):
        if "$ref" in schema:
            return definitions[schema["$ref"].rsplit("/", 1)[1]]
        return {key: _inlined(value, definitions) for key, value in schema.items()}
    return [_inlined(value, definitions) for value in schema] if isinstance(schema, list) else schema


def _refusal(status: int) -> dict[str, Any]:
    codes = ", ".join(sorted(code for code, number in STATUS.items() if number == status))
    return {
        "description": codes,
        **({"headers": _headers("RateLimit", "Retry-After")} if status == 429 else {}),
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _headers(*prefixes: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS if name.startswith(prefixes)}


_HEADERS: Final = {
    name: {"description": description, "schema": {"type": "integer"}}
    for name, description in {
        "RateLimit-Limit": "How many calls of this kind (`x-counted-as`) may come at once.",
        "RateLimit-Remaining": "How many more may now.",
        "RateLimit-Reset": "Seconds until all may again.",
        "Retry-After": "Seconds.",
    }.items()
}
_PROBLEM: Final = {
    "type": "object",
    "description": "RFC 9457. Branch on `code`: it is stable.",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "enum": sorted(ErrorCode)},
        "detail": {"type": "string"},
        "pointer": {"type": ["string", "null"], "description": "JSON pointer to the field at fault."},
        "request_id": {"type": "string"},
        "retry_after": {"type": ["number", "null"], "description": "Seconds."},
    },
    "required": ["type", "title", "status", "code", "detail"],
}

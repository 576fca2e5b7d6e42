"""The tables of `docs/settings.md`, made from the models: `python -m tests.settings_tables`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from shared.jobspec import AudioSettings, ThumbnailSettings, VideoSettings
from shared.jobspec.codecs import AUDIO_CODECS, VIDEO_CODECS, Container
from shared.presets import SYSTEM_PRESETS

DOCUMENT = Path(__file__).parent.parent / "docs" / "settings.md"
_PART = re.compile(r"(?<=settings_tables` -->\n).*?(?=<!-- end -->)", re.DOTALL)


def tables() -> str:
    models = (("Video", VideoSettings), ("Audio", AudioSettings), ("Thumbnails", ThumbnailSettings))
    parts = [_containers(), *(f"## {title}\n\n{_fields(model)}" for title, model in models), _presets()]
    return "\n\n".join(parts) + "\n"


def with_tables(text: str) -> str:
    return _PART.sub(lambda _: tables(), text)


def _containers() -> str:
    rows = [
        f"| `{container}` | {_names(VIDEO_CODECS.get(container))} | {_names(AUDIO_CODECS.get(container))} |"
        for container in sorted(Container)
    ]
    return "## Containers\n\n| container | video | audio |\n|---|---|---|\n" + "\n".join(rows)


def _names(codecs: frozenset[Any] | None) -> str:
    return ", ".join(sorted(codecs)) if codecs else "–"


def _fields(model: type[BaseModel]) -> str:
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    required = set(schema.get("required", ()))
    rows = [
        f"| `{name}` | {_kind(field, definitions)} | {_default(name, field, required)} | {field.get('description', '')} |"
        for name, field in schema["properties"].items()
    ]
    return "| field | values | default | |\n|---|---|---|---|\n" + "\n".join(rows)


def _kind(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "$ref" in field:
        return _kind(definitions[field["$ref"].rsplit("/", 1)[1]], definitions)
    if "anyOf" in field:
        return " or ".join(_kind(one, definitions) for one in field["anyOf"] if one.get("type") != "null")
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        return f"at most {field['maxItems']} slots"
    if field.get("type") == "boolean":
        return "`true`, `false`"
    if field.get("type") == "object":
        return "; ".join(f"`{name}`: {_kind(member, definitions)}" for name, member in field["properties"].items())
    if field.get("type") == "string":
        return "text"
    low, high = field.get("minimum"), field.get("maximum")
    step = f", a multiple of {field['multipleOf']}" if "multipleOf" in field else ""
    return f"{low} to {high}{step}"


def _default(name: str, field: dict[str, Any], required: set[str]) -> str:
    if name in required:
        return "required"
    value = field.get("default")
    return "none" if value in ([], None) else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _presets() -> str:
    rows = [
        f"| `{preset_id}` | {preset.name} | {preset.settings.container} |"
        for preset_id, preset in SYSTEM_PRESETS.items()
    ]
    return "## System presets\n\n| id | name | container |\n|---|---|---|\n" + "\n".join(rows)


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text()))

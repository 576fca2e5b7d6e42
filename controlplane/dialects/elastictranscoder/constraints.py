"""The rules of Elastic Transcoder's members, and the words in which it told that one was broken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_pascal
from pydantic_core import ErrorDetails, PydanticCustomError

from shared.errors import InvalidField, MalformedRequest, TranscoderError

T = TypeVar("T", str, list[Any])


class Wire(BaseModel):
    """A structure of the wire: members as the service named them. What it does not know is refused, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_pascal)


def matching(pattern: str) -> AfterValidator:
    expression = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if not expression.fullmatch(value):
            raise _broken(f"satisfy regular expression pattern: {pattern}")
        return value

    return AfterValidator(check)


def one_of(*values: str) -> AfterValidator:
    def check(value: str) -> str:
        if value not in values:
            raise _broken(f"satisfy enum value set: [{', '.join(values)}]")
        return value

    return AfterValidator(check)


def length(least: int, most: int) -> AfterValidator:
    """Of a text, or of a list."""

    def check(value: T) -> T:
        if len(value) < least:
            raise _broken(f"have length greater than or equal to {least}")
        if len(value) > most:
            raise _broken(f"have length less than or equal to {most}")
        return value

    return AfterValidator(check)


def _broken(rule: str) -> PydanticCustomError:
    return PydanticCustomError("constraint", "Member must {rule}", {"rule": rule})


Id = Annotated[str, matching(r"^\d{13}-\w{6}$")]
Name = Annotated[str, length(1, 40)]
Bucket = Annotated[str, matching(r"^(\w|\.|-){1,255}$")]
Role = Annotated[str, matching(r"^arn:aws:iam::\w{12}:role/.+$")]
Topic = Annotated[str, matching(r"(^$)|(^arn:aws:sns:.*:\w{12}:.+$)")]
Flag = Annotated[str, one_of("true", "false")]

SHOWN: Final = 200
"""So many letters of a value are told back."""


def invalid(error: ValidationError) -> TranscoderError:
    """What is wrong with a request, all of it, as the service told it."""
    found = error.errors(include_url=False)
    if found[0]["type"] in ("json_invalid", "json_type") or (found[0]["type"] == "model_type" and not found[0]["loc"]):
        return MalformedRequest("The body is not a JSON object.")
    noun = "error" if len(found) == 1 else "errors"
    sentences = "; ".join(_sentence(one) for one in found)
    return InvalidField(f"{len(found)} validation {noun} detected: {sentences}")


def refused(member: str, value: object, rule: str) -> InvalidField:
    """A refusal of our own in the words of the service; `rule` goes on after "Member must"."""
    return InvalidField(
        f"1 validation error detected: Value {shown(value)} at '{member}' failed to satisfy constraint: Member must {rule}"
    )


def member(location: Sequence[str | int]) -> str:
    """`outputs.2.member.presetId` for the place of a member, given by wire names or native ones."""
    return ".".join(f"{part + 1}.member" if isinstance(part, int) else _lower(part) for part in location)


def shown(value: object) -> str:
    if value is None:
        return "null"
    text = str(value)
    return f"'{text if len(text) <= SHOWN else text[:SHOWN] + '…'}'"


def _sentence(error: ErrorDetails) -> str:
    value, rule = shown(error["input"]), _rule(error)
    if error["type"] == "missing":
        value = "null"
    return f"Value {value} at '{member(error['loc'])}' failed to satisfy constraint: {rule}"


def _rule(error: ErrorDetails) -> str:
    match error["type"]:
        case "constraint":
            return error["msg"]
        case "missing":
            return "Member must not be null"
        case "extra_forbidden":
            return "Member must be one that this operation has"
        case "string_type":
            return "Member must be a string"
        case "list_type" | "dict_type" | "model_type" | "model_attributes_type" as kind:
            return f"Member must be a {'list' if kind == 'list_type' else 'structure'}"
    return f"Member must be otherwise: {error['msg']}"


@cache
def _lower(name: str) -> str:
    pascal = to_pascal(name) if "_" in name else name
    return pascal[:1].lower() + pascal[1:]

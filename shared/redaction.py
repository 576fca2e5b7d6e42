"""Takes out of a program's words what is nobody's business: addresses, links, paths, keys, and what moves a terminal."""

from __future__ import annotations

import re
from typing import Final

Replacements = tuple[tuple[re.Pattern[str], str], ...]

_MOVES: Final[Replacements] = (
    (re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.?)"), ""),
    (re.compile(r"[^\n\t -~\u00a0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010fffd]"), ""),
    (re.compile(r"[\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"), ""),  # what turns the order of a line around
)
_REPLACEMENTS: Final[Replacements] = (
    *_MOVES,
    (re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+"), "<address>"),
    (re.compile(r"/objects/[^\s'\"]+"), "<link>"),
    (re.compile(r"\bet[a-z]_[A-Za-z0-9_-]+"), "<key>"),
    (
        re.compile(r"(?i)\b(\w*(?:signature|token|password|secret|authorization|credential|sig|key))=[^\s&'\"]+"),
        r"\1=<hidden>",
    ),
    (re.compile(r"(?i)\b(bearer|basic) [A-Za-z0-9+/=._~-]{8,}"), r"\1 <hidden>"),
    (re.compile(r"(?<![\w.)\]<>])/[\w.@%+-]+(?:/[\w.@%+-]+)*/?"), "<path>"),
    (re.compile(r" @ 0x[0-9a-f]+"), ""),  # where in memory: of use to nobody but an attacker
)


def tame(text: str) -> str:
    """Without what moves a terminal, or turns the order of a line around."""
    for pattern, instead in _MOVES:
        text = pattern.sub(instead, text)
    return text


def cleaned(text: str) -> str:
    """Line by line as it was, without any of it. Doing it again changes nothing."""
    for pattern, instead in _REPLACEMENTS:
        text = pattern.sub(instead, text)
    return text


_SECRETS: Final[Replacements] = (
    (re.compile(r"(/objects/)[^\s'\"\\]+"), r"\1…"),
    (re.compile(r"\b(et[a-z]_)[A-Za-z0-9_.-]+"), r"\1…"),
    (re.compile(r"(://)[^\s/@'\"\\]+@"), r"\1…@"),
    (re.compile(r"(://[^\s?'\"\\]+\?)[^\s'\"\\]+"), r"\1…"),
    (re.compile(r"(?i)\b(bearer|basic) [A-Za-z0-9+/=._~-]{8,}"), r"\1 …"),
    (re.compile(r"(?i)(signature|token|password|secret|credential)=[^\s&'\"\\]+"), r"\1=…"),
    (
        re.compile(r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL),
        "<private key>",
    ),
)


_HINT: Final = re.compile(
    r"/objects/|et[a-z]_|://|bearer |basic |(?:signature|token|password|secret|credential)=|-----begin "
)
"""In small letters: most lines have none of it, and are looked through once."""


def without_secrets(text: str) -> str:
    """For operators' logs: addresses and paths stay, whatever opens something goes. Doing it again changes nothing."""
    if _HINT.search(text.lower()) is None:
        return text
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text

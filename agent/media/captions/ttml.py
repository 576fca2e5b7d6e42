"""Timed text in XML (W3C TTML, and its kin DFXP, SMPTE-TT and EBU-TT): the first `div` is read, whatever the namespace's year.

The parser knows no document types, so that no entity can be declared, expanded or fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final
from xml.etree import ElementTree as ET
from xml.parsers import expat

from agent.media.captions.cues import Cue, Cues, Unreadable, tidy
from agent.media.captions.srt import clock

DEEPEST: Final = 64
NAMESPACE: Final = "http://www.w3.org/ns/ttml"


def read(text: str) -> Cues:
    root = _parsed(text)
    if _name(root) != "tt":
        raise Unreadable("the XML is no timed text")
    body = next((child for child in root if _name(child) == "body"), None)
    if body is None:
        return ()
    first = next((child for child in body.iter() if _name(child) == "div"), body)
    rates = _rates(root)
    begins, ends = _span(body, rates, Fraction(0), None)
    if first is not body:
        begins, ends = _span(first, rates, begins, ends)
    return tidy(_cues(first, rates, begins, ends))


def written(cues: Iterable[Cue], language: str) -> str:
    root = ET.Element("tt", {"xmlns": NAMESPACE, "xml:lang": language})
    div = ET.SubElement(ET.SubElement(root, "body"), "div")
    for cue in cues:
        shown = ET.SubElement(div, "p", {"begin": clock(cue.start, "."), "end": clock(cue.end, ".")})
        shown.text, *others = cue.lines
        for line in others:
            ET.SubElement(shown, "br").tail = line
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _parsed(text: str) -> ET.Element:
    parser, builder = expat.ParserCreate(), ET.TreeBuilder()
    depth = 0

    def opened(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise Unreadable("its elements are nested too deep")
        builder.start(name, attributes)

    def closed(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name)

    def refused(*_: object) -> None:
        raise Unreadable("it declares a document type")

    parser.StartElementHandler, parser.EndElementHandler = opened, closed
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = builder.data, refused
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        raise Unreadable("it is no well-formed XML") from error
    return builder.close()


@dataclass(frozen=True)
class _Rates:
    frames: Fraction
    ticks: Fraction


def _rates(root: ET.Element) -> _Rates:
    frames = Fraction(_positive(root, "frameRate", 30))
    multiplier = re.fullmatch(
        r"\s*(\d{1,6})[\s:]+(\d{1,6})\s*", _attribute(root, "frameRateMultiplier") or "", re.ASCII
    )
    if multiplier and int(multiplier[1]) and int(multiplier[2]):
        frames *= Fraction(int(multiplier[1]), int(multiplier[2]))
    ticks = _positive(root, "tickRate", 0)
    return _Rates(frames, Fraction(ticks) or (frames if _attribute(root, "frameRate") else Fraction(1)))


def _positive(root: ET.Element, name: str, otherwise: int) -> int:
    value = (_attribute(root, name) or "").strip()
    return int(value) if value.isascii() and value.isdigit() and 0 < int(value) < 10**9 else otherwise


def _span(
    element: ET.Element, rates: _Rates, begins: Fraction, ends: Fraction | None
) -> tuple[Fraction, Fraction | None]:
    """From when to when it is active: its times count from where its parent begins, and end with it at the latest."""
    begin, end, duration = (_seconds(_attribute(element, name), rates) for name in ("begin", "end", "dur"))
    start = begins + (begin or 0)
    known = [
        time
        for time in (ends, None if end is None else begins + end, None if duration is None else start + duration)
        if time is not None
    ]
    return start, min(known, default=None)


def _cues(element: ET.Element, rates: _Rates, begins: Fraction, ends: Fraction | None) -> Iterator[Cue]:
    for child in element:
        start, end = _span(child, rates, begins, ends)
        if _name(child) == "p":
            yield from _of_paragraph(child, rates, start, end)
        elif _name(child) == "div":
            yield from _cues(child, rates, start, end)


def _of_paragraph(paragraph: ET.Element, rates: _Rates, begins: Fraction, ends: Fraction | None) -> Iterator[Cue]:
    """One, or one for every `span` that has times of its own."""
    timed = [span for span in paragraph if _name(span) == "span" and _is_timed(span)]
    if not timed:
        if ends is not None:
            yield _cue(begins, ends, _text(paragraph))
        return
    for span in timed:
        start, end = _span(span, rates, begins, ends)
        if end is not None:
            yield _cue(start, end, _text(span))


def _cue(begins: Fraction, ends: Fraction, text: str) -> Cue:
    return Cue(round(begins * 1000), round(ends * 1000), tuple(text.split("\n")))


def _is_timed(element: ET.Element) -> bool:
    return any(_attribute(element, name) is not None for name in ("begin", "end", "dur"))


def _text(element: ET.Element) -> str:
    parts = [_flowed(element.text)]
    for child in element:
        name = _name(child)
        if name == "br":
            parts.append("\n")
        elif name == "span":
            parts.append(_text(child))
        parts.append(_flowed(child.tail))
    return "".join(parts)


def _flowed(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "")


_CLOCK: Final = re.compile(r"(\d{2,3}):(\d{2}):(\d{2})(?:(\.\d{1,9})|:(\d{2,3})(?:\.\d+)?)?", re.ASCII)
_OFFSET: Final = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(h|ms|m|s|f|t)", re.ASCII)


def _seconds(expression: str | None, rates: _Rates) -> Fraction | None:
    if expression is None:
        return None
    if found := _CLOCK.fullmatch(expression.strip()):
        seconds = Fraction(int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3]))
        return seconds + Fraction(found[4] or 0) + (int(found[5]) / rates.frames if found[5] else 0)
    if found := _OFFSET.fullmatch(expression.strip()):
        units = {"h": Fraction(3600), "m": Fraction(60), "s": Fraction(1), "ms": Fraction(1, 1000)}
        units |= {"f": 1 / rates.frames, "t": 1 / rates.ticks}
        return Fraction(found[1]) * units[found[2]]
    raise Unreadable(f"{expression[:20]!r} is no time")


def _name(element: ET.Element) -> str:
    return str(element.tag).rpartition(":")[2]


def _attribute(element: ET.Element, name: str) -> str | None:
    return next((value for key, value in element.attrib.items() if key.rpartition(":")[2] == name), None)

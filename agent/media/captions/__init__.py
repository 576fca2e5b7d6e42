"""Captions: read from whatever they come in, merged, and written in whatever they go out in. Pure: texts in, texts out.

cues        what captions are
srt, webvtt, ttml, scc      one format each: `read` and `written`
line21, screen      the code of CEA-608: written, and read as a receiver does
dtvcc, windows      that of CEA-708, in the same way
sei         how captions lie within pictures
announced   which languages they are in, as transport streams tell
reading     sidecar files, told by their content
embedded    what lies within inputs: how it is taken out, and read
merging     which tracks an output gets, through all inputs
fitting     whether a format carries them
tracks      as tracks of an MP4 file
sidecars    as objects beside an output
"""

from agent.media.captions.announced import HEAD as HEAD_OF_STREAM
from agent.media.captions.announced import NOTHING as NOTHING_ANNOUNCED
from agent.media.captions.announced import Announced, announced
from agent.media.captions.cues import Cue, Cues, Track, Unreadable, shifted
from agent.media.captions.embedded import MAX_BYTES as MAX_EMBEDDED
from agent.media.captions.embedded import Extraction, of_pictures, of_text, read_pictures, read_text
from agent.media.captions.fitting import unfit, unfit_for_rate
from agent.media.captions.merging import Stretch, chosen, joined
from agent.media.captions.reading import MAX_BYTES as MAX_SIDECAR
from agent.media.captions.reading import NotUtf8, read
from agent.media.captions.sidecars import Rendition, Timeline, renditions
from agent.media.captions.tracks import texts, writing

__all__ = [
    "HEAD_OF_STREAM", "MAX_EMBEDDED", "MAX_SIDECAR", "NOTHING_ANNOUNCED", "Announced", "Cue", "Cues", "Extraction", "NotUtf8",
    "Rendition", "Stretch", "Timeline", "Track", "Unreadable", "announced", "chosen", "joined", "of_pictures", "of_text",
    "read", "read_pictures", "read_text", "renditions", "shifted", "texts", "unfit", "unfit_for_rate", "writing",
]  # fmt: skip

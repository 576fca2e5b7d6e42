"""Captions within pictures: what `agent.jobs` needs to put them there."""

from agent.media.captions.mp4 import movie, rewritten
from agent.media.captions.pictures import idle, units
from agent.media.captions.transport import CLOCK, PACKET, Inserter
from agent.media.transport import first_picture

__all__ = ["CLOCK", "PACKET", "Inserter", "first_picture", "idle", "movie", "rewritten", "units"]

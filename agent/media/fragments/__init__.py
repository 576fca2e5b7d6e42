"""Fragmented MP4 written anew, fragment by fragment: for players and servers that want more than ffmpeg writes.

tree        boxes within boxes
tracks      what a file's header says of its tracks
samples     one fragment taken apart into samples, and put together again
cenc        samples encrypted (ISO/IEC 23001-7)
playready   the header that tells players where licences are
rewriting   a whole file from an old one
texts       a file of timed text
"""

from agent.media.fragments.cenc import Cenc
from agent.media.fragments.rewriting import Refragment, rewritten

__all__ = ["Cenc", "Refragment", "rewritten"]

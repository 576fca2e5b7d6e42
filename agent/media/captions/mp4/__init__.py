"""SEI units put into the pictures of MP4 files (ISO/IEC 14496-12).

header     what a file says of its picture's track
fragments  runs of samples in fragments
movie      whole files and fragmented ones: what is known of them, and how they are rewritten
"""

from agent.media.captions.mp4.header import NotRewritable
from agent.media.captions.mp4.movie import Movie, movie, rewritten

__all__ = ["Movie", "NotRewritable", "movie", "rewritten"]

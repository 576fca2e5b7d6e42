"""Inputs that make a careless ffmpeg read other people's files or call other people's servers, and ways to notice.

A canary is a film in one colour that no other input has: whoever shows that colour has read it.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from tests.media.encoding import ffmpeg

MAGENTA: Final = (255, 0, 255)
WORDS: Final = b"the canary sings"

SESSION: Final = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"


@dataclass(frozen=True)
class Attack:
    name: str
    key: str
    content: bytes


@dataclass
class Canaries:
    """Films and words in a directory that is somebody else's, and servers that nobody should ask for anything."""

    directory: Path
    url: str = ""
    hop: str = ""
    asked: list[str] = field(default_factory=list)

    @property
    def film(self) -> Path:
        return self.directory / "film.ts"


@contextmanager
def canaries(directory: Path) -> Iterator[Canaries]:
    directory.mkdir(parents=True, exist_ok=True)
    found = Canaries(directory)
    colour = ("-f", "lavfi", "-i", "color=magenta:s=320x180:r=25:d=1", "-pix_fmt", "yuv420p")
    ffmpeg(*colour, "-c:v", "libx264", "-g", "5", str(found.film))
    ffmpeg(*colour, "-c:v", "libx264", "-g", "5", str(directory / "film.mp4"))
    ffmpeg(*colour, "-frames:v", "3", str(directory / "film%03d.png"))
    ffmpeg("-f", "lavfi", "-i", "color=black:s=320x180:r=25:d=1", "-frames:v", "1", str(directory / "own.png"))
    (directory / "words.txt").write_bytes(WORDS)
    with _server(found) as inner, _server(found, inner) as outer:
        found.url, found.hop = inner, outer
        yield found


@contextmanager
def _server(found: Canaries, onward: str = "") -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            body = found.film.read_bytes()
            self.send_response(302 if onward else 200)
            self.send_header("Location", onward + self.path)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def attacks(canaries: Canaries) -> list[Attack]:
    film, folder, url = canaries.film, canaries.directory, canaries.url
    up = "../" * 16 + str(film).lstrip("/")
    words = folder / "words.txt"
    texts = {
        "playlist of a file by address": ("a.m3u8", hls(f"file://{film}")),
        "playlist of a file by path": ("b.mp4", hls(str(film))),
        "playlist of a file from above": ("c.mp4", hls(up)),
        "playlist of a server": ("d.mp4", hls(f"{url}/film.ts")),
        "playlist of a server that sends onward": ("e.mp4", hls(f"{canaries.hop}/film.ts")),
        "playlist of parts by protocol concat": ("f.mp4", hls(f"concat:{film}|{film}")),
        "playlist of a part by protocol subfile": ("g.mp4", hls(f"subfile,,start,0,end,9999,,:{film}")),
        "playlist of what crypto unpacks": ("h.mp4", hls(f"crypto+file://{film}")),
        "playlist of words": ("i.mp4", hls(f"file://{words}")),
        "playlist with a key in a file": ("j.mp4", hls(str(film), f'#EXT-X-KEY:METHOD=AES-128,URI="file://{words}"')),
        "playlist with a key on a server": ("k.mp4", hls(str(film), f'#EXT-X-KEY:METHOD=AES-128,URI="{url}/key"')),
        "playlist with a map in a file": ("l.mp4", hls(str(film), f'#EXT-X-MAP:URI="{folder}/film.mp4"')),
        "playlist of playlists on a server": ("m.mp4", f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{url}/v.m3u8\n"),
        "concat of a file": ("n.mp4", f"ffconcat version 1.0\nfile '{film}'\n"),
        "concat of a server": ("o.mp4", f"ffconcat version 1.0\nfile '{url}/film.ts'\n"),
        "manifest of a file": ("p.mpd", mpd(f"file://{folder}/", "film.mp4")),
        "manifest of a server": ("q.mpd", mpd(f"{url}/", "film.mp4")),
        "session description": ("r.sdp", SESSION),
        "drawing of a file": ("s.svg", svg(folder / "film001.png")),
        "film script": ("t.avs", f'AVISource("{film}")'),
        "graph of filters": ("u.mp4", f"movie={film}"),
        "index of subtitles elsewhere": ("v.idx", f"# VobSub index file, v7\nsize: 720x480\nid: en, index: 0\n{film}\n"),
        "list of addresses": ("w.asx", f'<asx version="3.0"><entry><ref href="{url}/film.ts"/></entry></asx>'),
        "metadata of ffmpeg": ("x.mp4", f";FFMETADATA1\ntitle={film}\n"),
    }  # fmt: skip
    found = [Attack(name, key, text.encode()) for name, (key, text) in texts.items()]
    picture = (folder / "own.png").read_bytes()
    return [
        *found,
        Attack("pattern of pictures", "y%03d.png", picture),
        Attack("film that refers to a film", "z.mov", _reference(f"file://{film}")),
        Attack("film whose data are elsewhere", "zz.mov", _elsewhere((folder / "film.mp4").read_bytes(), film)),
    ]


def hls(segment: str, tag: str = "") -> str:
    return f"#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n{tag}\n#EXTINF:1,\n{segment}\n#EXT-X-ENDLIST\n"


def svg(picture: Path) -> str:
    image = f'<image href="file://{picture}" width="320" height="180"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="320" height="180">{image}</svg>'


def mpd(base: str, media: str) -> str:
    return (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S" '
        'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="video/mp4">'
        f'<Representation id="1" bandwidth="1"><BaseURL>{base}{media}</BaseURL></Representation>'
        "</AdaptationSet></Period></MPD>"
    )


def _box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def _reference(url: str) -> bytes:
    """A QuickTime reference movie: nothing but the address of another."""
    address = url.encode() + b"\0"
    rdrf = _box(b"rdrf", bytes(4), b"url ", len(address).to_bytes(4, "big"), address)
    return _box(b"ftyp", b"qt  ", bytes(4), b"qt  ") + _box(b"moov", _box(b"rmra", _box(b"rmda", rdrf)))


def _elsewhere(film: bytes, target: Path) -> bytes:
    """A movie whose samples lie in the file that its data reference names: its own data are wiped."""
    moov = film.index(b"moov") - 4
    reference = film.index(b"url \0\0\0\1", moov) - 4
    address = _box(b"url ", bytes(4), f"file://{target.with_suffix('.mp4')}".encode() + b"\0")
    grown = bytearray(film)
    grown[reference : reference + 12] = address
    for kind in (b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"):
        place = grown.index(kind, moov) - 4
        size = int.from_bytes(grown[place : place + 4], "big") + len(address) - 12
        grown[place : place + 4] = size.to_bytes(4, "big")
    data = grown.index(b"mdat") + 4
    grown[data:moov] = bytes(moov - data)
    return bytes(grown)


def shows_canary(file: Path) -> bool:
    """Whether a file holds the words, or a film in the colour; what was swept away since it was listed shows nothing."""
    try:
        if WORDS in file.read_bytes():
            return True
    except FileNotFoundError:
        return False
    pixel = ("-frames:v", "1", "-vf", "scale=1:1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(file), *pixel], capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    return len(done.stdout) == 3 and all(abs(a - b) < 60 for a, b in zip(done.stdout, MAGENTA, strict=True))

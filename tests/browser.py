"""A real browser without a screen, which plays what a folder holds and tells how it went."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.needs import needs

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_browser = needs(PROGRAM is not None and shutil.which("npm") is not None, "chromium and npm are not installed")

ENDING = 5.0
PATIENCE = 90.0
"""Seconds: a browser on a busy machine takes its time to begin."""

PAGE = """<!doctype html><meta charset="utf-8"><video id="v" muted width="320" height="180"></video>
<script src="/player.js"></script><script>
const video = document.getElementById("v"), clock = [];
const tell = told => fetch("/told", {method: "POST", body: JSON.stringify(told)});
const fail = why => tell({error: String(why)});
const captions = {};
const told = (track, cue) => [track.kind, track.language, cue.startTime, cue.endTime, cue.text];
video.addEventListener("timeupdate", () => {
  clock.push(video.currentTime);
  for (const track of video.textTracks) for (const cue of track.cues || [])
    captions[[track.language, cue.startTime, cue.text]] = told(track, cue);
});
video.addEventListener("error", () => fail(video.error && video.error.message));
video.addEventListener("ended", () => tell({
  clock, captions: Object.values(captions), width: video.videoWidth, height: video.videoHeight,
  frames: video.getVideoPlaybackQuality().totalVideoFrames, sound: video.webkitAudioDecodedByteCount}));
window.addEventListener("error", event => fail(event.message));
let begin = () => { video.playbackRate = 2; video.play().catch(fail); };
%s
</script>"""

JOURNEY = """
const until = (so, what) => new Promise((go, stop) => {
  let looks = 0;
  const look = () => so() ? go() : ++looks > 1200 ? stop("waited for " + what) : setTimeout(look, 50);
  look();
});
const visited = [];
const travel = async (seconds, width) => {
  const again = () => { if (video.currentTime > seconds + 1) video.currentTime = seconds; };
  video.currentTime = seconds;
  await until(() => !video.seeking && video.readyState > 2, "the picture at " + seconds);
  await video.play();
  await until(() => again() || !width || video.videoWidth === width, "a picture " + width + " wide");
  await until(() => video.currentTime > seconds + 0.2, "the clock behind " + seconds);
  visited.push([video.currentTime, video.videoWidth]);
};
let underway = false;
begin = async () => {
  if (underway) return;
  underway = true;
  try {
    for (const [seconds, width] of %s) {
      if (width) await choose(width);
      await travel(seconds, width);
    }
    tell({visited});
  } catch (why) { fail(why); }
};
"""
"""Before a player: it goes to some seconds, one after the other, where the picture is to be so wide, if that is said."""
HLS = """
const choose = width => { hls.currentLevel = hls.levels.findIndex(level => level.width === width); };
const hls = new Hls();
hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal) fail(data.type + ": " + data.details); });
hls.on(Hls.Events.MANIFEST_PARSED, begin);
hls.loadSource("%s"); hls.attachMedia(video);
"""
DASH = """
const player = dashjs.MediaPlayer().create();
const choose = width => {
  player.updateSettings({streaming: {abr: {autoSwitchBitrate: {video: false}}}});
  const one = player.getRepresentationsByType("video").find(one => one.width === width);
  player.setRepresentationForTypeById("video", one.id, true);
};
player.on(dashjs.MediaPlayer.events.ERROR, event => fail(JSON.stringify(event.error)));
player.on(dashjs.MediaPlayer.events.CAN_PLAY, begin);
player.initialize(video, "%s", false);
"""
SHAKA = """
const player = new shaka.Player();
const choose = width => {
  player.configure({abr: {enabled: false}});
  player.selectVariantTrack(player.getVariantTracks().find(track => track.width === width), true);
};
player.addEventListener("error", event => fail(event.detail.code));
player.attach(video).then(() => {
  player.configure({drm: {clearKeys: %s}});
  return player.load("%s");
}).then(begin).catch(fail);
"""
"""Keys by their ids, both in hexadecimal, as JSON; then the address."""


def travelled(
    folder: Path, script: bytes, how: str, stops: Sequence[tuple[float, int | None]], **served: Any
) -> dict[str, Any]:
    """Where the clock stood a little later, and how wide the picture was, at each stop."""
    return played(folder, script, JOURNEY % json.dumps(stops) + how, **served)


def played(folder: Path, script: bytes, how: str, *, origin: Callable[[str], bytes] | None = None) -> dict[str, Any]:
    """What the page told when the film had ended, or what kept it from that."""
    page = (PAGE % how).encode()
    with _served(folder, {"/": page, "/player.js": script}, origin) as (url, told), _browser(url, folder):
        answer: dict[str, Any] = told.get(timeout=PATIENCE)
        return answer


@contextmanager
def _browser(url: str, folder: Path) -> Iterator[None]:
    assert PROGRAM is not None, "install chromium"
    profile = folder.with_name(f"{folder.name}-profile")
    argv = [
        PROGRAM, "--headless=new", "--no-sandbox", "--no-first-run", "--no-zygote", "--disable-gpu", "--disable-breakpad",
        "--disable-dev-shm-usage", "--disable-background-networking", "--mute-audio",
        "--autoplay-policy=no-user-gesture-required", f"--user-data-dir={profile}", url,
    ]  # fmt: skip
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(ENDING)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A browser that ends leaves its requests."""


@contextmanager
def _served(
    folder: Path, pages: dict[str, bytes], origin: Callable[[str], bytes] | None
) -> Iterator[tuple[str, Queue[dict[str, Any]]]]:
    """As a static server that knows of ranges; what the page tells comes out of the queue."""
    told: Queue[dict[str, Any]] = Queue()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            if path in pages:
                self._send(pages[path], "text/html" if path == "/" else "text/javascript")
            elif origin is not None and ".ism/" in path:
                self._send(origin(path.partition(".ism/")[2]), "application/octet-stream")
            elif (file := folder / path.lstrip("/")).is_file():
                self._send(file.read_bytes(), "application/octet-stream")
            else:
                self.send_error(404)

        def do_POST(self) -> None:
            told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._send(b"", "text/plain")

        def _send(self, content: bytes, kind: str) -> None:
            wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            first, last = (int(wanted[1]), int(wanted[2] or len(content) - 1)) if wanted else (0, len(content) - 1)
            part = content[first : last + 1]
            self.send_response(206 if wanted else 200)
            if wanted:
                self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(content)}")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            self.wfile.write(part)

        def log_message(self, *_: object) -> None:
            """Nothing: requests are no news."""

    server = _Server(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, name="site")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

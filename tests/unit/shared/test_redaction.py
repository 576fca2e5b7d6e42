"""What never leaves by a log."""

from __future__ import annotations

import pytest

from shared.redaction import cleaned


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("GET https://u:p@host/a?X-Amz-Signature=abc done", "GET <address> done"),
        ("s3://bucket/key rtmp://host/app/streamkey", "<address> <address>"),
        ("at /objects/tok.en-1/a/b.mp4 now", "at <link> now"),
        ("key etk_0a_1b_2c-3d!", "key <key>!"),
        ("Authorization: Bearer abcdefgh12345678", "Authorization: Bearer <hidden>"),
        ("?sig=abc&x=1 password=hunter2", "?sig=<hidden>&x=1 password=<hidden>"),
        ("cannot open /var/lib/transcoder/agent/work/1-0.1/in/0: no", "cannot open <path>: no"),
        ("[mov @ 0x55aa00bb] in/0: moov atom not found", "[mov] in/0: moov atom not found"),
        ("out/o0.mp4: 25/1 fps, 100 kb/s", "out/o0.mp4: 25/1 fps, 100 kb/s"),
        ("\x1b[31mred\x1b[0m \x1b]0;title\x07bell\x07 \x9b31m", "red bell 31m"),
        ("abc\u202edef\u200b", "abcdef"),
        ("tabs\tand\nlines stay, Größe ✓", "tabs\tand\nlines stay, Größe ✓"),
    ],
)
def test_it_is_taken_out_and_the_rest_stays(said: str, told: str) -> None:
    assert cleaned(said) == told
    assert cleaned(told) == told

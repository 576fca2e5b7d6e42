"""Old content or new, never half of either."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path

from agent.files import write_durably

ROOT = Path(__file__).parents[3]


def test_a_file_is_replaced_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    write_durably(tmp_path / "facts", b"old")
    write_durably(tmp_path / "facts", b"new")
    assert (tmp_path / "facts").read_bytes() == b"new"
    assert (tmp_path / "facts").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["facts"]


def test_a_disk_that_is_full_in_the_middle_keeps_the_old_content_and_leaves_no_draft(tmp_path: Path) -> None:
    """The limit on the size of a file stands in for the disk: a write beyond it is short, and the next one fails."""
    write_durably(tmp_path / "facts", b"old")
    script = "import sys; from pathlib import Path; from agent.files import write_durably as w; w(Path(sys.argv[1]), b'n' * 99)"

    def shrink() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))

    ran = subprocess.run(
        [sys.executable, "-B", "-c", script, str(tmp_path / "facts")],
        cwd=ROOT,
        preexec_fn=shrink,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "File too large" in ran.stderr
    assert (tmp_path / "facts").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["facts"]

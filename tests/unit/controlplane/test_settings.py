"""Settings: wrong ones stop the start, with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from controlplane.settings import Settings, load


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_no_tls(host: str) -> None:
    assert Settings(host=host).is_loopback


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "192.168.0.1", "", "edge.example", "127.0.0.1.example", "[::1]", "2130706433"],  # noqa: S104
)
def test_anywhere_else_it_refuses_to_listen_without_tls(host: str) -> None:
    with pytest.raises(ValidationError, match="without TLS"):
        Settings(host=host)
    Settings(host=host, behind_proxy=True)
    Settings(host=host, tls_certificate=Path("c"), tls_key=Path("k"))


def test_certificate_and_key_go_together() -> None:
    with pytest.raises(ValidationError, match="go together"):
        Settings(tls_certificate=Path("c"))


def test_a_misspelt_setting_in_the_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("prot = 8080\n")
    with pytest.raises(ValidationError, match="prot"):
        load(file)


def test_what_is_given_beats_the_environment_and_that_beats_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('port = 1\nhost = "::1"\nlease = 70\n')
    monkeypatch.setenv("TRANSCODER_PORT", "2")
    monkeypatch.setenv("TRANSCODER_LEASE", "80")
    loaded = load(file, port=3, host=None)
    assert (loaded.port, loaded.host, loaded.lease) == (3, "::1", 80)


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    "change", [{"port": 65536}, {"lease": 0}, {"lease": -1}, {"brake_share": 1.1}, {"amnesty": -1}]
)
def test_numbers_out_of_range_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Settings(**change)  # type: ignore[arg-type]


def test_the_password_of_a_database_is_not_shown() -> None:
    assert "hunter2" not in repr(Settings(database="postgresql://user:hunter2@host/db"))  # type: ignore[arg-type]

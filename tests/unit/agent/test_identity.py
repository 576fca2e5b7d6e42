"""What `join` keeps, and where the secret is looked for."""

from pathlib import Path

import pytest

from agent.identity import NotJoined, authorities, is_joined, read_credential, read_identity, remember
from agent.settings import load
from shared.ids import ClusterId, NodeId
from shared.protocol import EnrolAnswer

ANSWER = EnrolAnswer(node_id=NodeId("nd_1"), credential="s3cret", cluster_id=ClusterId("paris-1"))


def test_the_credential_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    remember(tmp_path, "http://cp", ANSWER)
    assert (tmp_path / "node-credential").stat().st_mode & 0o777 == 0o600
    assert "s3cret" not in (tmp_path / "node.json").read_text()


def test_what_was_joined_is_known_again(tmp_path: Path) -> None:
    assert not is_joined(tmp_path)
    remember(tmp_path, "http://cp", ANSWER)
    assert is_joined(tmp_path)
    settings = load(None, state=tmp_path)
    assert read_identity(settings).node_id == "nd_1"
    assert read_credential(settings) == "s3cret"


def test_a_control_plane_that_moved_is_named_by_the_settings(tmp_path: Path) -> None:
    remember(tmp_path, "http://cp", ANSWER)
    assert read_identity(load(None, state=tmp_path, url="http://elsewhere")).url == "http://elsewhere"


def test_the_authorities_of_the_join_are_trusted_from_then_on(tmp_path: Path) -> None:
    settings = load(None, state=tmp_path / "state")
    assert authorities(settings) is None
    remember(settings.state, "https://cp", ANSWER, ca=b"PEM")
    trusted = authorities(settings)
    assert trusted is not None
    assert trusted.read_text() == "PEM"


def test_a_node_that_joins_anew_without_an_authority_trusts_the_old_one_no_more(tmp_path: Path) -> None:
    settings = load(None, state=tmp_path)
    remember(tmp_path, "https://cp", ANSWER, ca=b"PEM")
    remember(tmp_path, "https://cp", ANSWER)
    assert authorities(settings) is None


def test_the_credential_of_the_unit_wins_over_the_one_of_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(tmp_path / "state", "http://cp", ANSWER)
    (tmp_path / "node-credential").write_text("from systemd\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_credential(load(None, state=tmp_path / "state")) == "from systemd"


def test_a_unit_without_that_credential_uses_the_one_of_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(tmp_path / "state", "http://cp", ANSWER)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_credential(load(None, state=tmp_path / "state")) == "s3cret"


def test_a_machine_that_never_joined_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotJoined, match="agent join"):
        read_identity(load(None, state=tmp_path))
    with pytest.raises(NotJoined, match="node-credential"):
        read_credential(load(None, state=tmp_path))

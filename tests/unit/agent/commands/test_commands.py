"""What the owner of a node sees."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.app import Agent
from agent.commands import agent
from agent.identity import read_identity
from agent.refusals import ProtocolTooOld, Revoked
from agent.settings import load
from agent.state import State, StateInUse
from tests.unit.agent.commands import http_stand_in
from tests.unit.agent.commands.http_stand_in import JOIN_TOKEN, StandInServer

ROOT = Path(__file__).parents[4]


@pytest.fixture
def server() -> Iterator[StandInServer]:
    server = StandInServer(("127.0.0.1", 0))
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    yield server
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.fixture(autouse=True)
def _log_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that of an agent: loggers that were used once keep to it."""
    monkeypatch.setattr(sys.modules["agent.commands.run"], "log_to_stderr", lambda *_: None)


def call(*argv: str | Path, given: str | None = None) -> Result:
    return CliRunner().invoke(agent, [*map(str, argv), "--config", "/nonexistent"], input=given)


def join(server: StandInServer, state: Path, token: str = JOIN_TOKEN) -> Result:
    return call("join", server.url, "--token-file", "-", "--state", state, "--no-service", given=f"{token}\n")


def test_a_join_keeps_what_the_token_bought(server: StandInServer, tmp_path: Path) -> None:
    joined = join(server, tmp_path / "state")
    assert (joined.exit_code, joined.output) == (0, "Joined cluster paris-1 as node nd_1.\n")
    assert (tmp_path / "state" / "node-credential").read_text().strip() == "c"


def test_a_refused_token_leaves_nothing_behind(server: StandInServer, tmp_path: Path) -> None:
    refused = join(server, tmp_path / "state", "etj_spent")
    assert refused.exit_code == 77
    assert "refuses the join token" in refused.output
    assert not (tmp_path / "state").exists()


def test_a_node_does_not_join_twice_unless_told(server: StandInServer, tmp_path: Path) -> None:
    join(server, tmp_path)
    assert join(server, tmp_path).exit_code == 1
    assert server.enrolled == 1


def test_a_join_without_a_token_is_a_mistake_of_use(tmp_path: Path) -> None:
    assert call("join", "http://127.0.0.1:1", "--state", tmp_path).exit_code == 2


def test_what_is_no_join_token_is_never_sent(server: StandInServer, tmp_path: Path) -> None:
    """A key, say, that was pasted in its place."""
    refused = join(server, tmp_path, "etk_1_2_3")
    assert (refused.exit_code, "they begin with etj_" in refused.output) == (2, True)
    assert "etk_1_2_3" not in refused.output


def test_a_control_plane_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    refused = call("join", "http://127.0.0.1:1", "--token", "etj_t", "--state", tmp_path, "--no-service")
    assert refused.exit_code == 1
    assert "cannot be reached" in refused.output


def test_a_join_through_a_network_without_tls_is_warned_of(tmp_path: Path) -> None:
    told = call("join", "http://nowhere.invalid", "--token", "etj_t", "--state", tmp_path, "--no-service")
    assert "is not encrypted" in told.output
    told = call("join", "http://127.0.0.1:1", "--token", "etj_t", "--state", tmp_path, "--no-service")
    assert "is not encrypted" not in told.output


def test_status_tells_programs_what_there_is(server: StandInServer, tmp_path: Path) -> None:
    join(server, tmp_path)
    with State(tmp_path).claimed():
        told = call("status", "-o", "json", "--state", tmp_path)
    assert told.exit_code == 0
    seen = json.loads(told.output)
    assert (seen["node_id"], seen["is_running"], seen["is_reachable"]) == ("nd_1", True, True)
    assert (seen["running"], seen["unreported"], seen["facts"]) == ([], 0, None)


def test_status_tells_what_the_control_plane_says_of_the_node(server: StandInServer, tmp_path: Path) -> None:
    join(server, tmp_path)
    seen = json.loads(call("status", "-o", "json", "--state", tmp_path).output)
    assert (seen["state"], seen["labels"]) == ("Active", {"gpu": "l4"})
    assert abs(seen["clock_skew"]) < 1
    shown = call("status", "--state", tmp_path).output
    assert "gpu=l4" in shown
    assert "to the control plane's" in shown


def test_a_clock_that_is_off_is_said_to_be(
    server: StandInServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    join(server, tmp_path)
    monkeypatch.setattr(http_stand_in, "_now_ms", lambda: time.time_ns() // 1_000_000 + 60_000)
    assert "synchronise" in call("status", "--state", tmp_path).output


def test_the_owner_drains_and_resumes_the_node(server: StandInServer, tmp_path: Path) -> None:
    join(server, tmp_path)
    assert call("drain", "--state", tmp_path).output == "Draining\n"
    assert json.loads(call("status", "-o", "json", "--state", tmp_path).output)["state"] == "Drained"
    assert call("resume", "--state", tmp_path).output == "Active\n"


def test_a_drain_that_waits_returns_when_nothing_runs(server: StandInServer, tmp_path: Path) -> None:
    join(server, tmp_path)
    assert call("drain", "--wait", "--state", tmp_path).output == "Drained\n"


@pytest.mark.parametrize("verb", ["drain", "resume"])
def test_what_only_the_control_plane_can_keep_needs_it(verb: str, server: StandInServer, tmp_path: Path) -> None:
    assert call(verb, "--state", tmp_path).exit_code == 78
    join(server, tmp_path)
    server.shutdown()
    server.server_close()
    refused = call(verb, "--state", tmp_path)
    assert refused.exit_code == 1
    assert "cannot be reached" in refused.output


def test_labels_are_given_at_the_join_and_kept(server: StandInServer, tmp_path: Path) -> None:
    options = ("--label", "gpu=l4", "--label", "site=roof")
    joined = call(
        *("join", server.url, "--token-file", "-", "--state", tmp_path, "--no-service"), *options, given=JOIN_TOKEN
    )
    assert joined.exit_code == 0
    assert read_identity(load(None, state=tmp_path)).labels == {"gpu": "l4", "site": "roof"}


@pytest.mark.parametrize("label", ["GPU=l4", "=x", "a=b c", "-a=b", "gpu"])
def test_a_label_that_is_none_is_refused_before_the_token_is_spent(
    server: StandInServer, tmp_path: Path, label: str
) -> None:
    refused = call("join", server.url, "--token-file", "-", "--state", tmp_path, "--label", label, given=JOIN_TOKEN)
    assert refused.exit_code == 2
    assert server.enrolled == 0


def test_a_service_that_cannot_be_installed_does_not_cost_the_token(
    server: StandInServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["agent.commands.join"], "is_booted", lambda: True)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    refused = call("join", server.url, "--token-file", "-", "--state", tmp_path, given=JOIN_TOKEN)
    assert refused.exit_code == 1
    assert "The token is not spent. The service runs what is installed" in refused.output
    assert server.enrolled == 0


def test_a_state_that_cannot_be_written_does_not_cost_the_token(
    server: StandInServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    refused = join(server, tmp_path / "state")
    assert "The token is not spent." in refused.output
    assert server.enrolled == 0


def test_status_fails_where_no_agent_runs(server: StandInServer, tmp_path: Path) -> None:
    join(server, tmp_path)
    told = call("status", "--state", tmp_path)
    assert told.exit_code == 1
    assert "not running" in told.output


def test_status_of_a_machine_that_never_joined_says_what_to_do(tmp_path: Path) -> None:
    told = call("status", "--state", tmp_path)
    assert told.exit_code == 78
    assert "agent join" in told.output


def test_run_says_on_standard_error_why_it_cannot(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "agent", "run", "--state", tmp_path, "--config", "/nonexistent"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (78, "")
    assert "agent join" in ran.stderr


def test_a_setting_that_is_not_valid_is_named(tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text("max_cpu_threads = 0\n")
    ran = CliRunner().invoke(agent, ["run", "--config", str(config)])
    assert ran.exit_code == 78
    assert "max_cpu_threads" in ran.output


@pytest.mark.parametrize(
    ("ends", "code", "said"),
    [
        (Revoked("The credential is revoked."), 77, "This node was revoked: The credential is revoked."),
        (ProtocolTooOld("It speaks 9."), 76, "This agent must be upgraded: It speaks 9."),
        (StateInUse("Another agent has it."), 1, "Another agent has it."),
    ],
)
def test_what_ends_the_loops_of_an_agent_is_told_with_its_exit_code(
    server: StandInServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: Exception, code: int, said: str
) -> None:
    """By its code systemd knows to start a revoked node no more. Fails with `except*` on the Python of Debian 12."""

    async def run(*_: object) -> None:
        async with asyncio.TaskGroup() as loops:
            loops.create_task(asyncio.sleep(3600))
            raise ends

    join(server, tmp_path)
    monkeypatch.setattr(Agent, "run", run)
    ended = call("run", "--state", tmp_path, "--insecure-unconfined")
    assert (ended.exit_code, ended.output.splitlines()[-1]) == (code, f"Error: {said}")


def test_settings_that_are_no_toml_or_unknown_are_told_by_name(tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    for text, said in (("drain_grace =", f"{config} is not TOML"), ("foo = 1", "foo: there is no such setting")):
        config.write_text(text)
        refused = CliRunner().invoke(agent, ["config", "show", "--config", str(config)])
        assert (refused.exit_code, refused.output.startswith(f"Error: {said}")) == (78, True)

"""`python -m agent` is `transcoder agent`."""

from agent.commands import agent

agent(prog_name="transcoder agent")

"""`transcoder agent …`: for those who own a node."""

from __future__ import annotations

from agent.commands.config import config
from agent.commands.doctor import doctor
from agent.commands.drain import drain, resume
from agent.commands.group import agent
from agent.commands.install import install
from agent.commands.join import join
from agent.commands.run import run
from agent.commands.status import status

__all__ = ["agent"]

agent.add_command(config)
agent.add_command(doctor)
agent.add_command(drain)
agent.add_command(install)
agent.add_command(join)
agent.add_command(resume)
agent.add_command(run)
agent.add_command(status)

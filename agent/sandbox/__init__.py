"""How ffmpeg is confined: in systemd units, in bubblewrap, or, only when told so, not at all."""

from agent.process import EndedBy, Exit, OnStdout, StopRequest
from agent.sandbox.choice import choose
from agent.sandbox.port import PROGRAMS, ConfinementError, Limits, Sandbox

__all__ = ["PROGRAMS", "ConfinementError", "EndedBy", "Exit", "Limits", "OnStdout", "Sandbox", "StopRequest", "choose"]

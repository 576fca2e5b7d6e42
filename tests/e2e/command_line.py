"""The command line as people have it: processes of their own, which know a service by their environment."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from tests.e2e.processes import ROOT


class CommandLine:
    """Somebody at a terminal, with a key."""

    def __init__(self, url: str, key: str) -> None:
        self._environment = {**os.environ, "TRANSCODER_URL": url, "TRANSCODER_KEY": key, "COLUMNS": "400"}

    async def say(self, *words: str) -> str:
        code, said, complaint = await self.tried(*words)
        assert code == 0, complaint
        return said.strip()

    async def json(self, *words: str) -> Any:
        return json.loads(await self.say(*words, "-o", "json"))

    async def tried(self, *words: str) -> tuple[int, str, str]:
        """The exit code, and what stood on standard output and on standard error."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-m", "shared.command", *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=ROOT,
            env=self._environment,
        )
        said, complaint = await process.communicate()
        return process.returncode or 0, said.decode(), complaint.decode()

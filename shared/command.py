"""The `transcoder` command: a group whose parts register by entry point, each program its own."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import click


class Programs(click.Group):
    """Loads a part only when it is asked for: an agent's node has no use for the control plane's imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(entry.name for entry in entry_points(group="edge_transcoder.commands"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for entry in entry_points(group="edge_transcoder.commands", name=cmd_name):
            command: click.Command = entry.load()
            return command
        return None

    def invoke(self, ctx: click.Context) -> Any:
        """What only root or the service's user may read is told in a sentence, whichever command met it."""
        try:
            return super().invoke(ctx)
        except PermissionError as error:
            what = f"{error.filename}: permission denied" if error.filename else error.strerror
            raise click.ClickException(f"{what}. Try again with sudo.") from error


@click.command(cls=Programs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="edge-transcoder")
def main() -> None:
    """Transcode on your own hardware."""


if __name__ == "__main__":
    main()

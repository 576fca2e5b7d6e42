"""The control plane's part of the `transcoder` command."""

"""The native HTTP API: parse, call a service, render."""

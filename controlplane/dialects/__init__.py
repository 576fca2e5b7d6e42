"""Other vendors' APIs: wire in, a call of the same services, wire out."""

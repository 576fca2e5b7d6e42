"""What this service sends to addresses that others chose."""

"""What every API over HTTP has in common, the native one and the vendors' dialects alike."""

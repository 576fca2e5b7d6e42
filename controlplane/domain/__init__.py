"""What may happen, decided from values. No I/O, no clock: `now` is passed in."""

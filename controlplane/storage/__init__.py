"""Where objects lie: buckets, signed links to them, and the way from staging to visible."""

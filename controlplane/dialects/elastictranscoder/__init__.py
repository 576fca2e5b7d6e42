"""Elastic Transcoder's API of 2012-09-25, for clients that were written for it."""

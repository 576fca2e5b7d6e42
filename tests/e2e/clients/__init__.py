"""Unmodified clients of Amazon Elastic Transcoder against a whole service: control plane, agent and ffmpeg."""

"""The agent: one per edge node; it pulls work, runs ffmpeg and hands verified results back."""

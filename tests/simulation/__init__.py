"""A deterministic simulator: the real control plane and the real agents in virtual time, with everything in between unreliable.

Real: services, dispatcher, reaper, publisher, SQLite and files on the one side; loops, workload, runner, journal and outbox on
the other. Stood in for: the sockets between them, ffmpeg, time and chance. One seed is one history:

    python -m tests.simulation SEED [--hours 1] [--trace]
"""

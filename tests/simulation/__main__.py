"""Runs histories by their seeds, and shows what happened in them."""

from __future__ import annotations

import argparse
import os
import sys
import time

from tests.simulation.chance import CALM, Weather
from tests.simulation.world import simulate


def main() -> None:
    if os.environ.get("PYTHONHASHSEED") != "0":  # else the order of sets differs from run to run
        os.execve(sys.executable, sys.orig_argv, {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", type=int, nargs="+", help="one, or the first and the last")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--calm", action="store_true", help="nothing goes wrong but jobs")
    parser.add_argument("--trace", action="store_true")
    chosen = parser.parse_args()
    began = time.monotonic()
    seeds = range(chosen.seeds[0], chosen.seeds[-1] + 1)
    for seed in seeds:
        history = simulate(seed, CALM if chosen.calm else Weather(), hours=chosen.hours, trace=chosen.trace)
        for line in history.trace or ():
            print(line)
        print(f"seed {seed}: {len(history.acknowledged)} jobs, {history.told} messages, {history.fingerprint[:16]}")
    print(f"{len(seeds) * chosen.hours:g} hours in {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()

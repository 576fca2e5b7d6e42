"""Many command lines of the AWS CLI in one process: `python -m tests.e2e.clients.aws_often`, as JSON in and out.

Its driver is called as the `aws` program calls it, but for each of them: to start that program takes as long as fifty calls.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys

from awscli.clidriver import create_clidriver


def outputs(commands: list[list[str]]) -> list[str]:
    driver = create_clidriver()
    told = []
    for words in commands:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            status = driver.main(words)
        assert status == 0, words
        told.append(printed.getvalue())
    return told


if __name__ == "__main__":
    json.dump(outputs(json.load(sys.stdin)), sys.stdout)

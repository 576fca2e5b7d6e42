"""The first process of an encode unit: starts one ffmpeg for the agent, tells how it ended, and ends.

It is started ahead of need and waits on the unit's socket, so that nothing but a fork lies between an order and ffmpeg.
After one run it ends; systemd kills what is left in the unit's cgroup and starts the next. Only the standard library, and
little of it: every run costs one start of this file.

    agent                                        launcher
    order as JSON + stdin, stdout, stderr   ──►  forks
                                            ◄──  b"started"
    b"INT"                                  ──►  INT to ffmpeg
    b"CPU"                                  ──►
                                            ◄──  b"cpu " and the processor time of ffmpeg so far, in clock ticks
    end of sending                          ──►  KILL to everything
                                            ◄──  exit code, or the negative signal, in digits
"""

import contextlib
import json
import os
import resource
import select
import signal
import socket
import sys

FIRST_PASSED_DESCRIPTOR = 3
WORKSPACES = "/workspace"
PROGRAMS = ("ffmpeg", "ffprobe")
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/nonexistent",
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
}
REFUSED = 126
DYNAMIC_USERS = range(61184, 65520)
ORDER_SIZE = 128 * 1024


def main(listener: socket.socket, workspaces: str = WORKSPACES) -> None:
    """Serve the first who comes."""
    agent, _ = listener.accept()
    listener.close()
    order, pipes, _, _ = socket.recv_fds(agent, ORDER_SIZE, 3)
    if order:
        tell(agent, b"%d" % serve(agent, json.loads(order), pipes, workspaces))


def serve(agent: socket.socket, order: dict[str, object], pipes: list[int], workspaces: str) -> int:
    match order:
        case {"argv": [str(program), *_] as argv, "workspace": str(name), "limits": dict(limits)}:
            if program in PROGRAMS and "/" not in name and name not in ("", ".", ".."):
                return launch(agent, [str(word) for word in argv], f"{workspaces}/{name}", limits, pipes)
    return REFUSED


def launch(agent: socket.socket, argv: list[str], directory: str, limits: dict[str, int], pipes: list[int]) -> int:
    child = os.fork()
    if child == 0:
        become(argv, directory, limits, pipes)
    for pipe in pipes:
        os.close(pipe)
    tell(agent, b"started")
    return attend(agent, child)


def become(argv: list[str], directory: str, limits: dict[str, int], pipes: list[int]) -> None:
    """The program itself; comes back in no case."""
    try:
        for number, pipe in enumerate(pipes):
            os.dup2(pipe, number)
        for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(ignored_by_python, signal.SIG_DFL)
        for kind, limit in (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, limits["file_size"]),
            (resource.RLIMIT_DATA, limits["memory"]),
        ):
            resource.setrlimit(kind, (limit, limit))
        os.chdir(directory)
        os.execvpe(argv[0], argv, ENVIRONMENT)  # noqa: S606
    except OSError as error:
        print(f"{argv[0]} cannot be started: {error}", file=sys.stderr, flush=True)  # noqa: T201
    finally:
        os._exit(127)


def attend(agent: socket.socket, child: int) -> int:
    """Until the child has ended; kills it when the agent has nothing more to say, or is dead."""
    ended = os.pidfd_open(child)
    watched = select.poll()
    watched.register(ended, select.POLLIN)
    watched.register(agent, select.POLLIN)
    while all(ready != ended for ready, _ in watched.poll()):
        word = hear(agent)
        if word == b"INT":
            os.kill(child, signal.SIGINT)
        elif word == b"CPU":
            tell(agent, b"cpu %d" % cpu_ticks(child))
        elif not word:
            os.kill(child, signal.SIGKILL)
            watched.unregister(agent)
    _, status = os.waitpid(child, 0)
    kill_what_is_left()
    return os.waitstatus_to_exitcode(status)


def cpu_ticks(child: int) -> int:
    """Of all its threads; it has ended when nothing can be read, which is told next."""
    try:
        with open(f"/proc/{child}/stat", "rb") as file:
            return sum(int(number) for number in file.read().rpartition(b")")[2].split()[11:13])
    except OSError:
        return 0


def kill_what_is_left() -> None:
    """A dynamic user is this unit's alone: whatever else runs as it was started by the child."""
    if os.getuid() in DYNAMIC_USERS:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)


def hear(agent: socket.socket) -> bytes:
    try:
        return agent.recv(16)
    except ConnectionError:
        return b""


def tell(agent: socket.socket, word: bytes) -> None:
    """The agent may be gone."""
    with contextlib.suppress(OSError):
        agent.send(word)


if __name__ == "__main__":
    main(socket.socket(fileno=FIRST_PASSED_DESCRIPTOR))

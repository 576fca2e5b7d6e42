"""The first process of an encode unit: starts one ffmpeg for the agent, tells how it ended, and ends.

Beside it run, one after the other, those that the agent orders for it; they end with it.

It is started ahead of need and waits on the unit's socket, so that nothing but a fork lies between an order and ffmpeg.
After one run it ends; systemd kills what is left in the unit's cgroup and starts the next. Only the standard library, and
little of it: every run costs one start of this file.

    agent                                        launcher
    order as JSON + stdin, stdout, stderr   ──►  forks
                                            ◄──  b"started"
    b"INT"                                  ──►  INT to ffmpeg
    b"CPU"                                  ──►
                                            ◄──  b"cpu " and the processor time of all so far, in clock ticks
    order as JSON + stdin, stdout, stderr   ──►  forks another beside it
                                            ◄──  b"beside " and how that ended
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
        case {"argv": list(argv), "workspace": str(name), "limits": dict(limits)}:
            if is_program(argv) and "/" not in name and name not in ("", ".", ".."):
                return Run(agent, f"{workspaces}/{name}", limits).attend(argv, pipes)
    return REFUSED


def is_program(argv: list[object]) -> bool:
    return bool(argv) and argv[0] in PROGRAMS and all(isinstance(word, str) for word in argv)


class Run:
    """One program, and those beside it."""

    def __init__(self, agent: socket.socket, directory: str, limits: dict[str, int]) -> None:
        self.agent, self.directory, self.limits = agent, directory, limits
        self.running: dict[int, int] = {}
        """Process ids, by the descriptors that tell of their end."""
        self.watched = select.poll()

    def attend(self, argv: list[str], pipes: list[int]) -> int:
        """Until the program has ended; kills it when the agent has nothing more to say, or is dead."""
        first = self.start(argv, pipes)
        tell(self.agent, b"started")
        self.watched.register(self.agent, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in self.watched.poll()}
            for one in ready & self.running.keys() - {first}:
                tell(self.agent, b"beside %d" % self.reap(one))
            if first in ready:
                break
            if self.agent.fileno() in ready:
                self.obey(first, *hear(self.agent))
        for child in self.running.values():
            os.kill(child, signal.SIGKILL)
        returncode = self.reap(first)
        kill_what_is_left()
        return returncode

    def obey(self, first: int, word: bytes, pipes: list[int]) -> None:
        match word:
            case b"INT":
                os.kill(self.running[first], signal.SIGINT)
            case b"CPU":
                tell(self.agent, b"cpu %d" % sum(map(cpu_ticks, self.running.values())))
            case b"":
                for child in self.running.values():
                    os.kill(child, signal.SIGKILL)
                self.watched.unregister(self.agent)
            case _:
                argv = json.loads(word)["beside"]
                if is_program(argv):
                    self.start(argv, pipes)
                else:
                    tell(self.agent, b"beside %d" % REFUSED)

    def start(self, argv: list[str], pipes: list[int]) -> int:
        child = os.fork()
        if child == 0:
            become(argv, self.directory, self.limits, pipes)
        for pipe in pipes:
            os.close(pipe)
        one = os.pidfd_open(child)
        self.running[one] = child
        self.watched.register(one, select.POLLIN)
        return one

    def reap(self, one: int) -> int:
        self.watched.unregister(one)
        _, status = os.waitpid(self.running.pop(one), 0)
        os.close(one)
        return os.waitstatus_to_exitcode(status)


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


def hear(agent: socket.socket) -> tuple[bytes, list[int]]:
    try:
        word, pipes, _, _ = socket.recv_fds(agent, ORDER_SIZE, 3)
    except ConnectionError:
        return b"", []
    return word, pipes


def tell(agent: socket.socket, word: bytes) -> None:
    """The agent may be gone."""
    with contextlib.suppress(OSError):
        agent.send(word)


if __name__ == "__main__":
    main(socket.socket(fileno=FIRST_PASSED_DESCRIPTOR))

"""What the inputs of a task are: probed, and counted or looked at where they do not say what must be known."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from agent.client import ControlPlane
from agent.jobs.attempt import Attempt, EndReason
from agent.jobs.failure import AttemptFailed
from agent.media import MediaFacts, MediaRefused, counting, ffprobe_argv, hints, interlacing, parse_probe
from agent.process import Exit
from agent.racing import Interrupted
from shared.errors import StaleLease
from shared.failures import Failure, FailureReason
from shared.protocol import DetectedProperties, InputSpec, PartSpec, TranscodeFile

Capture = Callable[[Sequence[str]], Awaitable[tuple[bytes, Exit]]]
"""Runs a command; what it wrote, and how it ended."""

_THREADS = 2


class Probing:
    """Parts of one file that are read alike are probed and counted once. `patiently`: runs what may take its time."""

    def __init__(self, task: TranscodeFile, inputs: Sequence[InputSpec], capture: Capture, patiently: Capture) -> None:
        self._parts = task.parts
        self._is_cut = len(task.parts) > 1 or any(output.clip for output in task.outputs)
        self._inputs = {source.index: source for source in inputs}
        self._capture = capture
        self._patiently = patiently
        self._files: dict[tuple[int, str], MediaFacts] = {}

    async def file(self, number: int) -> MediaFacts:
        """What the file of a part is. Raises AttemptFailed, naming the input where there are several."""
        spec = self._parts[number]
        key = (spec.source, spec.container)
        if key not in self._files:
            self._files[key] = await self._probe(spec)
        facts = self._files[key]
        if counting.needs_counting(facts, is_cut=self._is_cut or spec.clip is not None):
            command = counting.counting_argv(_name(spec), facts, demuxer=hints.demuxer(spec))
            progress, _ = await self._patiently(command)
            self._files[key] = counting.counted(facts, progress)
        return self._files[key]

    async def part(self, number: int, file: MediaFacts) -> MediaFacts:
        """The facts by which it is planned: with what its sender says, and what its pictures show."""
        spec = self._parts[number]
        woven = None
        if interlacing.needs_a_look(file, spec.interlaced):
            start = spec.clip.start if spec.clip else 0.0
            demuxer = hints.demuxer(spec)
            look = interlacing.idet_argv(_name(spec), file, start=start, demuxer=demuxer, threads=_THREADS)
            seen, _ = await self._capture(look)
            woven = interlacing.parse_idet(seen)
        return hints.hinted(interlacing.settled(file, spec.interlaced, woven), spec)

    async def _probe(self, spec: PartSpec) -> MediaFacts:
        output, ended = await self._capture(ffprobe_argv(_name(spec), hints.demuxer(spec)))
        try:
            size = self._inputs[spec.source].size
            return parse_probe(output, size=size, stderr=ended.stderr, container=spec.container)
        except MediaRefused as refused:
            failure = self._blaming(spec, refused.failure)
            raise AttemptFailed(naming(self._parts, spec.source, failure)) from refused

    def _blaming(self, spec: PartSpec, failure: Failure) -> Failure:
        """A job that describes its input wrongly is no reason to refuse the next one with that input."""
        if spec.container == "auto" and self._inputs[spec.source].encryption is None:
            return failure
        return failure.model_copy(update={"reason": FailureReason.MISDESCRIBED})


def naming(parts: Sequence[PartSpec], source: int, failure: Failure) -> Failure:
    """Which of several inputs it is about: the first that comes from that place in the workspace."""
    if len(parts) == 1:
        return failure
    number = next(number for number, part in enumerate(parts, start=1) if part.source == source)
    return failure.model_copy(update={"message": f"Input {number}: {failure.message}"[:255]})


def _name(spec: PartSpec) -> str:
    return f"in/{spec.source}"


async def tell_probed(client: ControlPlane, attempt: Attempt, inputs: tuple[DetectedProperties, ...]) -> None:
    """The tenant may have no minutes left for it: then the job has failed, and nothing is encoded.

    Raises StaleLease, or Interrupted when it is to stop.
    """
    answer = await client.probed(attempt.ref, inputs)
    match answer.verdict:
        case "drop":
            raise StaleLease("The control plane has ended this attempt.")
        case "stop":
            attempt.end(EndReason.STOPPED)
            raise Interrupted

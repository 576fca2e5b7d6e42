"""The work of one `TranscodeFile`: fetch, probe, plan, encode, verify, package, upload."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from itertools import chain
from typing import Any, Final

import structlog

from agent.client import ControlPlane
from agent.jobs.artwork import adorned
from agent.jobs.attempt import Attempt, EndReason
from agent.jobs.captions import Captions, gather
from agent.jobs.embedding import embed
from agent.jobs.encryption import decrypt, encrypted
from agent.jobs.failure import (
    COMPANION_MISSING,
    COMPANION_TOO_LARGE,
    SCRATCH_FULL,
    STALLED,
    TOOK_TOO_LONG,
    AttemptFailed,
)
from agent.jobs.fetch import OnBytes, fetch
from agent.jobs.finishing import finish
from agent.jobs.pictures import art, stills
from agent.jobs.probing import Probing
from agent.jobs.publish import publish
from agent.jobs.refragmenting import refragmented
from agent.jobs.slots import Slots
from agent.jobs.sprites import laid_out
from agent.jobs.workspace import Workspace
from agent.media import (
    Device,
    MediaFacts,
    Package,
    Pass,
    Plan,
    PlannedOutput,
    ProgressParser,
    Sample,
    Still,
    Verified,
    detected,
    diagnose,
    inspections,
    instead,
    judge,
    media_files,
    package,
    plan,
    split,
    stretches,
)
from agent.racing import Interrupted, together, unless
from agent.sandbox import EndedBy, Exit, Limits, OnStdout, Sandbox
from agent.vigil import Patience, Stage, Vigil
from shared.clock import Clock
from shared.errors import StaleLease
from shared.failures import Cause, Failure, FailureReason
from shared.jobspec import HardwarePreference
from shared.protocol import (
    DetectedProperties,
    Fallback,
    Finished,
    InputSpec,
    OutputResult,
    OutputSpec,
    Split,
    StagedFile,
    StartTask,
    TranscodeFile,
)
from shared.statuses import JobStatus, Phase

PROBE_TIME: Final = 60.0
LEAST_ENCODE_TIME: Final = 900.0
ENCODE_TIME_PER_SECOND: Final = 60.0
"""Seconds of wall time for each second of media and each output; beyond it the encode hangs, it is not slow."""

FINISHING_FROM: Final = 99.5
"""Percent of the media, from which on ffmpeg is silent while it writes indexes."""
THREADS_PER_RENDITION: Final = 2
FETCHED_AT_ONCE: Final = 4
"""Inputs, of which each comes in several parts at once when it is large."""
LARGEST_COMPANION: Final = 20 << 20
"""Bytes of a picture or a caption file: what is larger is none, and is not fetched."""

log = structlog.get_logger()

Note = Callable[[Phase], Awaitable[None]]
"""Returns when the beginning of a phase is on disk."""


class Transcode:
    def __init__(
        self,
        attempt: Attempt,
        task: TranscodeFile,
        space: Workspace,
        *,
        note: Note,
        client: ControlPlane,
        sandbox: Sandbox,
        slots: Slots,
        scratch_left: Callable[[], int],
        patience: Patience,
        clock: Clock,
    ) -> None:
        self._attempt = attempt
        self._order = attempt.order
        self._task = task
        self._space = space
        self._note = note
        self._client = client
        self._sandbox = sandbox
        self._slots = slots
        self._scratch_left = scratch_left
        self._patience = patience
        self._clock = clock
        self._verified: dict[int, Verified] = {}
        self._failures: dict[int, Failure] = {}
        self._lost: dict[int, Failure] = {}
        """Of what is no input, by its place, why it is not there."""
        self._captions = Captions()
        self._encode_seconds = 0.0
        self.detected: tuple[DetectedProperties, ...] = ()

    async def run(self) -> Finished:
        """Raises AttemptFailed, StaleLease, or Interrupted when the attempt is ended from outside."""
        await self._fetch()
        facts = await self._probe()
        await self._unless_ended(tell_probed(self._client, self._attempt, self.detected))
        pictures = await stills(self._task, self._lost, self._space.input, self._capture)
        self._captions = await self._gather(facts)
        planned = await asyncio.to_thread(self._plan, facts, pictures)
        for index, failure in {**planned.refused, **self._captions.failures}.items():
            self._fail(index, failure)
        await self._enter(Phase.ENCODING)
        done = 0.0
        for encode, share in zip(planned.passes, shares(planned.passes), strict=True):
            await self._encode(encode, done=done, share=share)
            done += share
        await self._adorn(facts)
        await self._lay_out()
        for index in self._verified:
            self._attempt.end_output(index)
        raise_if_nothing_came(self._verified, self._failures)
        packed = await asyncio.to_thread(self._package)
        packed = await asyncio.to_thread(encrypted, self._task, packed, self._space.out)
        await self._publish(packed)
        return Finished(
            inputs=self.detected,
            outputs=results(packed, self._failures),
            playlists=packed.playlists,
            encode_seconds=self.encode_seconds,
        )

    def _fail(self, index: int, failure: Failure) -> None:
        self._failures[index] = failure
        self._attempt.end_output(index, failure)

    @property
    def encode_seconds(self) -> float:
        """Wall time in ffmpeg so far."""
        return round(self._encode_seconds, 3)

    async def _enter(self, phase: Phase) -> None:
        """Noted on disk first: what this agent dies of, its next start can tell."""
        await self._note(phase)
        self._attempt.reach(phase)

    async def _fetch(self) -> None:
        whole = sum(source.size for source in self._order.inputs) or 1
        got = 0

        def told(count: int) -> None:
            nonlocal got
            got += count
            self._attempt.reach(Phase.FETCHING, got / whole)

        waiting = deque(self._order.inputs)

        async def bring() -> None:
            while waiting:
                await self._bring(waiting.popleft(), told)

        await self._unless_ended(together(bring() for _ in range(min(FETCHED_AT_ONCE, len(waiting)))))

    async def _bring(self, source: InputSpec, told: OnBytes) -> None:
        """What only single outputs need may be lost."""
        target = self._space.input(source.index)
        if not source.is_input and source.size > LARGEST_COMPANION:
            self._lost[source.index] = COMPANION_TOO_LARGE
            return
        try:
            await fetch(self._client, self._attempt.ref, source, target, told)
            if source.encryption is not None:
                await asyncio.to_thread(decrypt, target, source.encryption)
        except AttemptFailed as failed:
            if source.is_input or failed.failure.cause is Cause.NODE:
                raise
            self._lost[source.index] = failed.failure if source.encryption else COMPANION_MISSING

    async def _probe(self) -> tuple[MediaFacts, ...]:
        """Of every part of the task."""
        await self._enter(Phase.PROBING)
        probing = Probing(self._task, self._order.inputs, self._capture, self._capture_patiently)
        facts: list[MediaFacts] = []
        for number in range(len(self._task.parts)):
            file = await probing.file(number)
            self.detected = (*self.detected, detected(file))
            facts.append(await probing.part(number, file))
            self._attempt.reach(Phase.PROBING, (number + 1) / len(self._task.parts))
        return tuple(facts)

    async def _gather(self, facts: tuple[MediaFacts, ...]) -> Captions:
        return await gather(self._task, stretches(self._task, facts), self._lost, self._space, self._extract)

    async def _adorn(self, facts: tuple[MediaFacts, ...]) -> None:
        """With album art what is to have some. Only that output fails where it cannot be had."""
        wanted = [verified for verified in self._verified.values() if verified.output.spec.album_art is not None]
        if not wanted:
            return
        shown = await art(self._task, self._lost, self._space.input, self._capture)
        inputs = list(
            {part.source: (part.source, found) for part, found in zip(self._task.parts, facts, strict=True)}.values()
        )
        for verified in wanted:
            self._settle(verified, await adorned(verified, inputs, shown, self._space.out, self._extract))

    async def _lay_out(self) -> None:
        """Thumbnails on sheets, where a job wants them so."""
        for verified in tuple(self._verified.values()):
            self._settle(verified, await laid_out(verified, self._space.out, self._extract))

    def _settle(self, before: Verified, made: Verified | Failure) -> None:
        """What was done with an output after it was verified; where that went wrong, it fails alone."""
        index = before.output.index
        if isinstance(made, Verified):
            self._verified[index] = made
            return
        if made.cause is Cause.NODE:
            raise AttemptFailed(made)
        del self._verified[index]
        self._fail(index, made)

    async def _extract(self, argv: Sequence[str]) -> Exit:
        return (await self._capture_patiently(argv))[1]

    def _plan(self, facts: tuple[MediaFacts, ...], pictures: Mapping[int, Still | Failure]) -> Plan:
        failed = self._captions.failures
        wanted = tuple(output for output in self._task.outputs if output.index not in failed)
        return plan(
            self._task.model_copy(update={"outputs": wanted}),
            facts,
            pictures,
            device=Device.NVENC if self._order.nvenc_sessions else Device.CPU,
            threads=self._order.cpu_threads,
            gpu=self._attempt.gpu or 0,
            tracks=self._captions.embedded(self._task),
        )

    async def _encode(self, encode: Pass, *, done: float, share: float) -> None:
        """One ffmpeg. What a card fails at is made by other means; else its outputs are made one by one.

        Either way what other passes finished stays, and only the guilty output fails.
        """
        before = self._space.files()
        ended = await self._encoded(encode, done=done, share=share)
        if ended.is_success:
            self._space.forget(encode.joined)
            for output in encode.outputs:
                failure = await asyncio.to_thread(self._embed, output)
                if failure is None:
                    await self._verify(output, ended)
                else:
                    self._fail(output.index, failure)
            return
        self._space.keep_only(before)
        failure = failure_of(ended)
        reason = failure.reason or FailureReason.UNKNOWN
        outputs = tuple(output.index for output in encode.outputs)
        log.warning("pass.failed", outputs=outputs, reason=reason, cause=failure.cause, encoders=encoders_of(encode))
        if (other := self._by_other_means(encode, reason)) is not None:
            self._attempt.note(
                Fallback(outputs=outputs, encoder=encoders_of(encode), instead=means_of(other), reason=reason)
            )
            await self._encode(other, done=done, share=share)
            return
        if failure.cause is Cause.NODE or reason is FailureReason.STALLED:
            raise AttemptFailed(failure)
        if len(encode.outputs) == 1:
            self._fail(encode.outputs[0].index, failure)
            return
        self._attempt.note(Split(outputs=outputs, reason=reason))
        parts = split(encode)
        for number, part in enumerate(parts):
            await self._encode(part, done=done + share * number / len(parts), share=share / len(parts))

    def _by_other_means(self, encode: Pass, reason: FailureReason) -> Pass | None:
        """What the card is not asked for again; software gets what threads are idle."""
        if not encode.is_on_gpu:
            return None
        self._slots.learn(self._attempt.ref, reason)
        is_required = self._task.hardware is HardwarePreference.REQUIRE
        other = instead(encode, reason, software_threads=0 if is_required else self._order.cpu_threads)
        if other is None or other.is_on_gpu:
            return other
        threads = self._slots.widen(self._attempt.ref, THREADS_PER_RENDITION * len(encode.outputs))
        return instead(encode, reason, software_threads=threads)

    async def _encoded(self, encode: Pass, *, done: float, share: float) -> Exit:
        encoders = encoders_of(encode)
        self._attempt.reach(Phase.ENCODING, done, encoder=encoders)
        self._attempt.begin(output.index for output in encode.outputs)
        names = ", ".join(str(output.index + 1) for output in encode.outputs)
        self._attempt.tail.remark(f"output {names} by {encoders} with {encode.threads} threads")
        part = share / len(encode.steps)
        for number, argv in enumerate(encode.steps):
            ended = await self._step(argv, encode, done=done + number * part, share=part)
            if not ended.is_success:
                break
        return ended

    async def _step(self, argv: Sequence[str], encode: Pass, *, done: float, share: float) -> Exit:
        parser = ProgressParser(encode.duration)
        vigil = Vigil(self._patience)
        reached = 0.0

        def told(chunk: bytes) -> None:
            nonlocal reached
            sample: Sample | None = parser.feed(chunk)
            if sample is not None:
                if sample.seconds > reached:
                    reached = sample.seconds
                    vigil.step(Stage.FINISHING if sample.percent >= FINISHING_FROM else Stage.WORKING)
                fraction = done + share * sample.percent / 100
                self._attempt.reach(Phase.ENCODING, fraction, fps=sample.fps, speed=sample.speed, eta=sample.eta)

        started = self._clock.monotonic()
        try:
            return await self._run(argv, told, wall_time=encode_time(encode), vigil=vigil)
        finally:
            self._encode_seconds += self._clock.monotonic() - started

    def _embed(self, output: PlannedOutput) -> Failure | None:
        """Captions into the pictures, where they belong there. What went wrong, or None."""
        track = self._captions.closed(output.spec)
        files = self._space.files()
        if track is None or not files.get(output.file):
            return None
        return embed(self._space.out, output, media_files(output, files), track.cues)

    async def _verify(self, output: PlannedOutput, ended: Exit) -> None:
        self._attempt.reach(Phase.VERIFYING)
        files = self._space.files()
        probes: dict[str, bytes] = {}
        for inspection in inspections(output, files):
            probes[inspection.name], _ = await self._capture_patiently(inspection.argv)
        verdict = await asyncio.to_thread(judge, output, files, probes, read=self._space.read, stderr_tail=ended.stderr)
        if isinstance(verdict, Verified):
            self._verified[output.index] = verdict
            if not is_added_to(output.spec):
                self._attempt.end_output(output.index)
            return
        log.warning(
            "output.refused", output=output.index, code=verdict.code, cause=verdict.cause, reason=verdict.message
        )
        if verdict.cause is Cause.NODE:
            had_no_room = verdict.reason is None and self._space.is_on_full_disk  # HLS's muxer never says so
            raise AttemptFailed(SCRATCH_FULL if had_no_room else verdict)
        self._fail(output.index, verdict)

    def _package(self) -> Package:
        self._space.drop_inputs()  # a file that is written anew needs room for two of it
        verified = refragmented(self._task, self._verified, self._space.out)
        packed = package(self._task, verified, read=self._space.read, tracks=self._captions.tracks)
        for name, content in packed.files.items():
            (self._space.out / name).write_bytes(content)
        finish(self._space.out, packed.recipes)
        return packed

    async def _publish(self, packed: Package) -> None:
        await self._enter(Phase.UPLOADING)
        files = staged(packed)
        whole = sum(file.size for file in files) or 1
        sent = 0

        def told(count: int) -> None:
            nonlocal sent
            sent += count
            self._attempt.reach(Phase.UPLOADING, sent / whole)

        await self._unless_ended(publish(self._client, self._attempt.ref, self._space.out, files, told))
        self._attempt.reach(Phase.PUBLISHING)

    async def _capture(self, argv: Sequence[str], *, vigil: Vigil | None = None) -> tuple[bytes, Exit]:
        """Run a probe; what it wrote, and how it ended. Under a vigil it may take as long as it gets on."""
        written = bytearray()
        ended = await self._run(argv, written.extend, wall_time=None if vigil else PROBE_TIME, vigil=vigil)
        if ended.ended_by is EndedBy.STALL:
            raise AttemptFailed(STALLED)
        return bytes(written), ended

    async def _capture_patiently(self, argv: Sequence[str]) -> tuple[bytes, Exit]:
        return await self._capture(argv, vigil=Vigil(self._patience))

    async def _run(
        self, argv: Sequence[str], on_stdout: OnStdout, *, wall_time: float | None, vigil: Vigil | None
    ) -> Exit:
        limits = limits_of(self._order, wall_time=wall_time, file_size=self._scratch_left())
        tail = self._attempt.tail
        ended = await self._sandbox.run(
            argv,
            workspace=self._space.root,
            limits=limits,
            on_stdout=on_stdout,
            stop=self._attempt.stop,
            on_stderr=tail.hear,
            vigil=vigil,
        )
        tail.flush()
        if not ended.is_success:
            tail.remark(f"{argv[0]} {how_it_ended(ended)}")
        if self._attempt.stop.is_asked:
            raise Interrupted
        if ended.ended_by is EndedBy.TIME_LIMIT:
            raise AttemptFailed(TOOK_TOO_LONG)
        return ended

    async def _unless_ended(self, work: Coroutine[Any, Any, None]) -> None:
        await unless(self._attempt.stop.wait(), work)


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


def limits_of(order: StartTask, *, wall_time: float | None, file_size: int) -> Limits:
    """Memory as granted, where the order says so. A file may grow to whatever is left of the disk: granted is a guess."""
    usual = Limits()
    return Limits(
        file_size=file_size,
        memory=order.memory or usual.memory,
        wall_time=min(wall_time or usual.wall_time, usual.wall_time),
    )


def shares(passes: Sequence[Pass]) -> list[float]:
    """What part of the work each is; alike, where one of them is of unknown length."""
    amounts = [encode.duration * len(encode.outputs) for encode in passes]
    whole = sum(amounts)
    return [amount / whole if all(amounts) else 1 / len(amounts) for amount in amounts]


def encode_time(encode: Pass) -> float:
    """Seconds that a pass may take; without a known duration, as long as anything may."""
    if not encode.duration:
        return Limits().wall_time
    return LEAST_ENCODE_TIME + ENCODE_TIME_PER_SECOND * encode.duration * len(encode.outputs)


def failure_of(ended: Exit) -> Failure:
    return STALLED if ended.ended_by is EndedBy.STALL else diagnose(ended.returncode, ended.stderr)


def how_it_ended(ended: Exit) -> str:
    if ended.ended_by is not EndedBy.ITSELF:
        return f"was ended: {ended.ended_by.replace('_', ' ')}"
    return f"was killed by signal {ended.signal}" if ended.code is None else f"ended with {ended.code}"


def encoders_of(encode: Pass) -> str:
    return "+".join(dict.fromkeys(output.encoder for output in encode.outputs))


def means_of(encode: Pass) -> str:
    """A card that encodes what it does not decode is told from one that does both."""
    return encoders_of(encode) + (
        " after decoding in software" if encode.is_on_gpu and not encode.decodes_on_gpu else ""
    )


def raise_if_nothing_came(verified: Mapping[int, object], failures: Mapping[int, Failure]) -> None:
    """When nothing came of it and that need not be the input's fault, another try may do better."""
    if verified:
        return
    for failure in failures.values():
        if failure.cause is not Cause.INPUT:
            raise AttemptFailed(failure)


def is_added_to(output: OutputSpec) -> bool:
    """Whether something is still to be done with it when all passes are over, at which it may fail."""
    return output.album_art is not None or (output.thumbnails is not None and output.thumbnails.sprite is not None)


def results(packed: Package, failures: Mapping[int, Failure]) -> tuple[OutputResult, ...]:
    failed = (OutputResult(index=index, status=JobStatus.ERROR, failure=failure) for index, failure in failures.items())
    return tuple(sorted((*packed.outputs, *failed), key=lambda result: result.index))


def staged(packed: Package) -> tuple[StagedFile, ...]:
    """Every file to upload, once, even where several objects are made of it."""
    of_outputs = (made for output in packed.outputs for made in output.objects)
    of_playlists = (made for playlist in packed.playlists for made in playlist.objects)
    files = {made.name: StagedFile(name=made.name, size=made.size) for made in chain(of_outputs, of_playlists)}
    return tuple(files.values())

"""The work of one `TranscodeFile`: fetch, probe, plan, encode, verify, package, upload."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final

import structlog

from agent.client import ControlPlane
from agent.jobs.artwork import adorned
from agent.jobs.attempt import Attempt
from agent.jobs.captions import Captions, gather
from agent.jobs.embedding import embed
from agent.jobs.encoding import THREADS_PER_RENDITION, Encoding
from agent.jobs.encryption import decrypt, encrypted
from agent.jobs.failure import COMPANION_MISSING, COMPANION_TOO_LARGE, SCRATCH_FULL, AttemptFailed
from agent.jobs.fetch import OnBytes, fetch
from agent.jobs.finishing import finish
from agent.jobs.outcome import is_added_to, raise_if_nothing_came, results, staged
from agent.jobs.pictures import art, stills
from agent.jobs.probing import Probing, naming, tell_probed
from agent.jobs.publish import publish
from agent.jobs.refragmenting import refragmented
from agent.jobs.running import Running
from agent.jobs.slots import Slots
from agent.jobs.sprites import laid_out
from agent.jobs.workspace import Workspace
from agent.media import (
    Device,
    MediaFacts,
    Package,
    Plan,
    PlannedOutput,
    Still,
    Verified,
    detected,
    inspections,
    judge,
    lacked,
    media_files,
    package,
    plan,
    stretches,
)
from agent.media.diagnosis import FAILURES
from agent.racing import together, unless
from agent.sandbox import Exit, Sandbox
from agent.vigil import Patience
from shared.clock import Clock
from shared.failures import Cause, Failure, FailureReason
from shared.jobspec import HardwarePreference
from shared.protocol import DetectedProperties, Finished, InputSpec, TranscodeFile
from shared.statuses import Phase

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
        self._slots = slots
        self._running = Running(attempt, space, sandbox=sandbox, scratch_left=scratch_left, patience=patience)
        self._encoding = Encoding(
            attempt, task, space, self._running, slots=slots, clock=clock, made=self._look_at, fail=self._fail
        )
        self._verified: dict[int, Verified] = {}
        self._failures: dict[int, Failure] = {}
        self._lost: dict[int, Failure] = {}
        """Of what is no input, by its place, why it is not there."""
        self._captions = Captions()
        self.detected: tuple[DetectedProperties, ...] = ()

    async def run(self) -> Finished:
        """Raises AttemptFailed, StaleLease, or Interrupted when the attempt is ended from outside."""
        await self._fetch()
        facts = await self._probe()
        await self._unless_ended(tell_probed(self._client, self._attempt, self.detected))
        pictures = await stills(self._task, self._lost, self._space.input, self._running.capture)
        self._captions = await self._gather(facts)
        threads = self._threads()
        planned = await asyncio.to_thread(self._plan, facts, pictures, threads)
        for index, failure in {**planned.refused, **self._captions.failures}.items():
            self._fail(index, failure)
        await self._enter(Phase.ENCODING)
        await self._encoding.all(planned.passes)
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
        return round(self._encoding.seconds, 3)

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
            if failed.failure.cause is Cause.NODE:
                raise
            if source.is_input:
                raise AttemptFailed(naming(self._task.parts, source.index, failed.failure)) from failed
            self._lost[source.index] = failed.failure if source.encryption else COMPANION_MISSING

    async def _probe(self) -> tuple[MediaFacts, ...]:
        """Of every part of the task."""
        await self._enter(Phase.PROBING)
        probing = Probing(self._task, self._order.inputs, self._running.capture, self._running.capture_patiently)
        facts: list[MediaFacts] = []
        for number in range(len(self._task.parts)):
            file = await probing.file(number)
            self.detected = (*self.detected, detected(file))
            facts.append(await probing.part(number, file))
            self._attempt.reach(Phase.PROBING, (number + 1) / len(self._task.parts))
        return tuple(facts)

    async def _gather(self, facts: tuple[MediaFacts, ...]) -> Captions:
        return await gather(self._task, stretches(self._task, facts), self._lost, self._space, self._running.make)

    async def _adorn(self, facts: tuple[MediaFacts, ...]) -> None:
        """With album art what is to have some. Only that output fails where it cannot be had."""
        wanted = [verified for verified in self._verified.values() if verified.output.spec.album_art is not None]
        if not wanted:
            return
        shown = await art(self._task, self._lost, self._space.input, self._running.capture)
        inputs = list(
            {part.source: (part.source, found) for part, found in zip(self._task.parts, facts, strict=True)}.values()
        )
        for verified in wanted:
            self._settle(verified, await adorned(verified, inputs, shown, self._space.out, self._running.make))

    async def _lay_out(self) -> None:
        """Thumbnails on sheets, where a job wants them so."""
        for verified in tuple(self._verified.values()):
            self._settle(verified, await laid_out(verified, self._space.out, self._running.make))

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

    def _threads(self) -> int:
        """More than were granted, where a card lacks an encoder that was counted on; another node may have it."""
        lacking = lacked(self._task.outputs, self._slots.encoders(self._attempt.ref)) if self._uses_card else 0
        if lacking and self._task.hardware is HardwarePreference.REQUIRE:
            raise AttemptFailed(FAILURES[FailureReason.HARDWARE_UNSUPPORTED])
        if not lacking:
            return self._order.cpu_threads
        return self._slots.widen(self._attempt.ref, self._order.cpu_threads + THREADS_PER_RENDITION * lacking)

    @property
    def _uses_card(self) -> bool:
        return self._order.nvenc_sessions > 0

    def _plan(self, facts: tuple[MediaFacts, ...], pictures: Mapping[int, Still | Failure], threads: int) -> Plan:
        failed = self._captions.failures
        wanted = tuple(output for output in self._task.outputs if output.index not in failed)
        return plan(
            self._task.model_copy(update={"outputs": wanted}),
            facts,
            pictures,
            device=Device.NVENC if self._uses_card else Device.CPU,
            threads=threads,
            gpu=self._attempt.gpu or 0,
            card=self._slots.encoders(self._attempt.ref) if self._uses_card else (),
            tracks=self._captions.embedded(self._task),
        )

    async def _look_at(self, output: PlannedOutput, ended: Exit) -> None:
        """What ffmpeg says that it made."""
        failure = await asyncio.to_thread(self._embed, output)
        if failure is None:
            await self._verify(output, ended)
        else:
            self._fail(output.index, failure)

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
            probes[inspection.name], _ = await self._running.capture_patiently(inspection.argv)
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

    async def _unless_ended(self, work: Coroutine[Any, Any, None]) -> None:
        await unless(self._attempt.stop.wait(), work)

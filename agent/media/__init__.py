"""What ffmpeg is to do, and what to think of what it did. Pure: values in, values out; the caller runs and reads.

Every process runs with the attempt's workspace as its working directory. The inputs lie in `in/0`, `in/1`, …; everything made lies
in `out/` under names of ours: `o<index>.<extension>`, `o<index>_%05d.ts`, `j<index>.ts`, `t<index>_%05d.png`, keys `k<index>.key`,
captions `c<index>_<track>_%05d.vtt`, and the playlists `m<index>.m3u8`, `p<index>.m3u8`, `p<index>.mpd` and the like. Tracks of
captions lie ready in `in/t<index>.mp4`. No tenant's string reaches a command line or a local name. File names in the signatures
below are relative to `out/`.

    probe      ffprobe_argv(path: str) -> list[str]                         path: "in/0"
               parse_probe(output: bytes, *, size: int, stderr: bytes = b"") -> MediaFacts      raises MediaRefused(.failure)
               detected(facts: MediaFacts) -> DetectedProperties
    pictures   demuxer_of(head: bytes) -> str | None                           of a still picture, by how it begins
               still_probe_argv(path: str, demuxer: str) -> list[str]
               parse_still(output: bytes, demuxer: str, *, stderr: bytes = b"") -> Still | Failure
    plan       plan(task: TranscodeFile, facts: tuple[MediaFacts, ...], stills: Mapping[int, Still | Failure] = {}, *,
                    device: Device, threads: int) -> Plan                       stills by their place in the row of inputs
                   Plan.passes: tuple[Pass, ...]; Plan.refused: Mapping[int, Failure] (outputs this input cannot become)
                   Pass.feeders: Feeders | None (who run beside each of its steps, and write to pipes in `in/` what those read)
                   Pass.argv: list[str]; Pass.outputs: tuple[PlannedOutput, ...]; Pass.duration: float (0.0: unknown)
                   PlannedOutput.index: int; PlannedOutput.encoder: str
               split(p: Pass) -> tuple[Pass, ...]                           one per output: only the guilty one fails
               evenly(p: Pass) -> Pass | None                  where its input became another kind midway
               instead(p: Pass, reason: FailureReason, *, software_threads: int) -> Pass | None     what a card failed at
               lacked(outputs: Iterable[OutputSpec], card: Collection[str]) -> int      how many a card has no encoder for
    progress   ProgressParser(duration: float).feed(chunk: bytes) -> Sample | None
                   Sample: percent, seconds, fps, speed, eta                         of the pass; percent never falls
    verify     inspections(output: PlannedOutput, files: Mapping[str, int]) -> tuple[Inspection, ...]
                   files: name -> size of everything in out/; Inspection: name, argv (its stdout is the probe)
               judge(output, files, probes: Mapping[str, bytes], *, read: Read, stderr_tail: bytes = b"") -> Verified | Failure
                   (stderr_tail counts after exit 0 too: some muxers end so on a full disk)
                   probes: Inspection.name -> stdout; Read = Callable[[str, int, int], bytes]: (name, offset, length)
    fragments  refragment(task, spec: OutputSpec) -> Refragment | None         whether and how its file is written anew
               rewritten(read: ReadAt, take: ReadAt, target: BinaryIO, how: Refragment) -> None
    package    package(task, verified: Mapping[int, Verified], *, read: Read) -> Package
                   Package.files: Mapping[str, bytes] (to write into out/), .outputs: tuple[OutputResult, ...] (Complete ones,
                   with their objects), .playlists: tuple[PlaylistResult, ...] (all of the task's), .recipes: tuple[Recipe, ...]
                   (what is done to the files then; sizes of objects are those afterwards)
    diagnosis  diagnose(exit_code: int, stderr_tail: bytes) -> Failure      of a pass that did not end with 0
               reason_of(exit_code: int, stderr_tail: bytes) -> FailureReason   of the same: what a fallback decides by

ffmpeg reads `q` from its standard input as the order to finish; progress comes from its standard output.
"""

from agent.media.diagnosis import OF_HARDWARE, diagnose, reason_of
from agent.media.encoders import Device
from agent.media.facts import MediaFacts, MediaRefused
from agent.media.fragments import Refragment, rewritten
from agent.media.packaging import Encrypt, Join, Mark, Package, Recipe, package, refragment
from agent.media.pictures import Still, demuxer_of, parse_still, still_probe_argv
from agent.media.planning import (
    Feeders,
    Pass,
    Plan,
    PlannedOutput,
    evenly,
    instead,
    lacked,
    of_clip,
    plan,
    split,
    stretches,
    tracks_file,
)
from agent.media.probe import detected, ffprobe_argv, parse_probe
from agent.media.progress import ProgressParser, Sample
from agent.media.verify import UNEVEN, Inspection, Read, Verified, inspections, judge, media_files

__all__ = [
    "OF_HARDWARE", "UNEVEN", "Device", "Encrypt", "Feeders", "Inspection", "Join", "Mark", "MediaFacts", "MediaRefused", "Package",
    "Pass", "Plan", "PlannedOutput", "ProgressParser", "Read", "Recipe", "Refragment", "Sample", "Still", "Verified",
    "demuxer_of", "detected", "diagnose", "evenly", "ffprobe_argv", "inspections", "instead", "judge", "lacked", "media_files",
    "of_clip", "package", "parse_probe", "parse_still", "plan", "reason_of", "refragment", "rewritten", "split",
    "still_probe_argv", "stretches", "tracks_file",
]  # fmt: skip

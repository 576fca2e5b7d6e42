// The life of a film through the SDK for JavaScript. The account comes on standard input, the film goes to standard output.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import {
  CancelJobCommand, CreateJobCommand, CreatePipelineCommand, CreatePresetCommand, DeletePipelineCommand, DeletePresetCommand,
  ElasticTranscoderClient, ReadJobCommand, ReadPipelineCommand, ReadPresetCommand, TestRoleCommand, UpdatePipelineCommand,
  UpdatePipelineNotificationsCommand, UpdatePipelineStatusCommand, paginateListJobsByPipeline, paginateListJobsByStatus,
  paginateListPipelines, paginateListPresets, waitUntilJobComplete,
  AccessDeniedException, ResourceInUseException, ResourceNotFoundException, ValidationException,
} from "@aws-sdk/client-elastic-transcoder";

const account = JSON.parse(readFileSync(0, "utf8"));
const role = "arn:aws:iam::123456789012:role/Elastic_Transcoder_Default_Role";
const hls400k = "1351620000001-200050";
const many = 101; // jobs: three pages
const silent = { Progressing: "", Completed: "", Warning: "", Error: "" };

const clientOf = (accessKeyId, secretAccessKey) => new ElasticTranscoderClient({
  endpoint: account.url, region: account.region, maxAttempts: 1, credentials: { accessKeyId, secretAccessKey },
});
const client = clientOf(account.access_key_id, account.secret_access_key);
const send = command => client.send(command);

const all = async pages => {
  const found = [];
  for await (const page of pages) found.push(page);
  return found;
};

const refused = async (kind, status, command) => {
  try {
    await send(command);
  } catch (error) {
    assert(error instanceof kind, String(error));
    assert.equal(error.$metadata.httpStatusCode, status);
    assert(error.$metadata.requestId);
    return error.message;
  }
  assert.fail(`${kind.name} was not thrown`);
};

const created = await send(new CreatePipelineCommand({
  Name: "films", InputBucket: "films-in", OutputBucket: "films-out", Role: role, Notifications: silent,
}));
assert.equal(created.$metadata.httpStatusCode, 201);
const pipeline = created.Pipeline.Id;
assert.deepEqual((await send(new ReadPipelineCommand({ Id: pipeline }))).Pipeline, created.Pipeline);
const pipelines = await all(paginateListPipelines({ client }, {}));
assert(pipelines.flatMap(page => page.Pipelines).some(one => one.Id === pipeline));

const made = await send(new CreatePresetCommand({
  Name: "Small", Description: "A rung of our own", Container: "ts",
  Video: {
    Codec: "H.264", CodecOptions: { Profile: "main", Level: "3", MaxReferenceFrames: "2" }, KeyframesMaxDist: "50",
    FixedGOP: "true", BitRate: "250", FrameRate: "25", MaxWidth: "320", MaxHeight: "180", DisplayAspectRatio: "auto",
    SizingPolicy: "ShrinkToFit", PaddingPolicy: "NoPad",
  },
  Audio: { Codec: "AAC", SampleRate: "44100", BitRate: "64", Channels: "2", CodecOptions: { Profile: "AAC-LC" } },
  Thumbnails: {
    Format: "png", Interval: "2", MaxWidth: "160", MaxHeight: "90", SizingPolicy: "ShrinkToFit", PaddingPolicy: "NoPad",
  },
}));
const preset = made.Preset.Id;
assert.deepEqual((await send(new ReadPresetCommand({ Id: preset }))).Preset, made.Preset);
const presets = (await all(paginateListPresets({ client }, {}))).flatMap(page => page.Presets);
assert.equal(presets.filter(one => one.Type === "System").length, 62);

const output = (name, preset) => ({
  Key: `${name}/film`, PresetId: preset, SegmentDuration: "2",
  Captions: { CaptionFormats: [{ Format: "webvtt", Pattern: "captions-{language}" }] },
});
const submitted = (await send(new CreateJobCommand({
  PipelineId: pipeline,
  Input: {
    Key: "in/bunny.mp4",
    InputCaptions: {
      MergePolicy: "Override", CaptionSources: [{ Key: "in/bunny.srt", Language: "en", Label: "English" }],
    },
  },
  OutputKeyPrefix: "made/",
  Outputs: [output("400k", hls400k), { ...output("small", preset), ThumbnailPattern: "small/picture-{count}" }],
  Playlists: [{ Name: "index", Format: "HLSv3", OutputKeys: ["400k/film", "small/film"] }],
  UserMetadata: { Film: "Big Buck Bunny" },
}))).Job;
assert.equal(submitted.Status, "Submitted");
await waitUntilJobComplete({ client, minDelay: 1, maxDelay: 1, maxWaitTime: 120 }, { Id: submitted.Id });
const film = (await send(new ReadJobCommand({ Id: submitted.Id }))).Job;
assert.deepEqual(film.Outputs.map(one => [one.Status, one.Width]), [["Complete", 400], ["Complete", 320]]);
assert.deepEqual(film.Playlists.map(one => [one.Name, one.Status]), [["index", "Complete"]]);
assert.equal(typeof film.Timing.SubmitTimeMillis, "number");
assert.equal(typeof film.Outputs[0].DurationMillis, "number");

const status = Status => send(new UpdatePipelineStatusCommand({ Id: pipeline, Status }));
assert.equal((await status("Paused")).Pipeline.Status, "Paused");
const waiting = [];
for (let number = 0; number < many; number++) {
  const job = { PipelineId: pipeline, Inputs: [{ Key: "in/bunny.mp4" }], Outputs: [{ Key: `many/${number}.ts`, PresetId: hls400k }] };
  waiting.push((await send(new CreateJobCommand(job))).Job.Id);
}
const byStatus = await all(paginateListJobsByStatus({ client }, { Status: "Submitted", Ascending: "true" }));
assert(byStatus.length >= 3);
assert.deepEqual(byStatus.flatMap(page => page.Jobs.map(job => job.Id)), waiting);
const byPipeline = await all(paginateListJobsByPipeline({ client }, { PipelineId: pipeline, Ascending: "false" }));
assert.deepEqual(byPipeline.flatMap(page => page.Jobs.map(job => job.Id)), [...[...waiting].reverse(), film.Id]);
for (const Id of waiting) assert.equal((await send(new CancelJobCommand({ Id }))).$metadata.httpStatusCode, 202);
assert.equal((await send(new ReadJobCommand({ Id: waiting[0] }))).Job.Status, "Canceled");
await status("Active");

await refused(ResourceInUseException, 409, new CancelJobCommand({ Id: film.Id }));
await refused(ResourceNotFoundException, 404, new ReadJobCommand({ Id: "1111111111111-abcde1" }));
await refused(AccessDeniedException, 403, new DeletePresetCommand({ Id: hls400k }));
const message = await refused(ValidationException, 400, new ReadJobCommand({ Id: "nothing" }));
assert.equal(message, "1 validation error detected: Value 'nothing' at 'id' failed to satisfy constraint: "
  + "Member must satisfy regular expression pattern: ^\\d{13}-\\w{6}$");
await assert.rejects(clientOf("AKIAIOSFODNN7EXAMPLE", "none").send(new ReadPipelineCommand({ Id: pipeline })), error =>
  error.$metadata.httpStatusCode === 403);

assert.equal((await send(new UpdatePipelineCommand({ Id: pipeline, Name: "more films" }))).Pipeline.Name, "more films");
const told = await send(new UpdatePipelineNotificationsCommand({ Id: pipeline, Notifications: silent }));
assert.deepEqual(told.Pipeline.Notifications, silent);
const tested = await send(new TestRoleCommand({ Role: role, InputBucket: "films-in", OutputBucket: "films-out", Topics: [] }));
assert.equal(tested.Success, "true");
assert.equal((await send(new DeletePresetCommand({ Id: preset }))).$metadata.httpStatusCode, 202);
assert.equal((await send(new DeletePipelineCommand({ Id: pipeline }))).$metadata.httpStatusCode, 202);

process.stdout.write(JSON.stringify(film));

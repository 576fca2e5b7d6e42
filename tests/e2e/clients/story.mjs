// The life of a film through the SDK for JavaScript. The account and the troubles of others come on standard input, the film goes
// to standard output.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import {
  CancelJobCommand, CreateJobCommand, CreatePipelineCommand, CreatePresetCommand, DeletePipelineCommand, DeletePresetCommand,
  ElasticTranscoderClient, ListPipelinesCommand, ReadJobCommand, ReadPipelineCommand, ReadPresetCommand, TestRoleCommand, UpdatePipelineCommand,
  UpdatePipelineNotificationsCommand, UpdatePipelineStatusCommand, paginateListJobsByPipeline, paginateListJobsByStatus,
  paginateListPipelines, paginateListPresets, waitUntilJobComplete,
  AccessDeniedException, ElasticTranscoderServiceException, IncompatibleVersionException, InternalServiceException,
  LimitExceededException, ResourceInUseException, ResourceNotFoundException, ValidationException,
} from "@aws-sdk/client-elastic-transcoder";

const { troubles, ...account } = JSON.parse(readFileSync(0, "utf8"));
const role = "arn:aws:iam::123456789012:role/Elastic_Transcoder_Default_Role";
const hls400k = "1351620000001-200050";
const many = 101; // jobs: three pages
const silent = { Progressing: "", Completed: "", Warning: "", Error: "" };

const clientOf = ({ url, region, access_key_id: accessKeyId, secret_access_key: secretAccessKey }) =>
  new ElasticTranscoderClient({ endpoint: url, region, maxAttempts: 1, credentials: { accessKeyId, secretAccessKey } });
const client = clientOf(account);
const send = command => client.send(command);

const all = async pages => {
  const found = [];
  for await (const page of pages) found.push(page);
  return found;
};

// Those of the model have classes of their own; what all of Amazon's services tell is known by its name.
const refused = async (kind, status, call) => {
  const name = typeof kind === "string" ? kind : kind.name;
  try {
    await call();
  } catch (error) {
    assert.equal(error.constructor, typeof kind === "string" ? ElasticTranscoderServiceException : kind, String(error));
    assert.equal(error.name, name);
    assert.equal(error.$metadata.httpStatusCode, status);
    assert(error.$metadata.requestId);
    return error.message;
  }
  return assert.fail(`${name} was not thrown`);
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

// The account may have one pipeline, and no more jobs that wait than these.
const missing = { Id: "1111111111111-abcde1" };
const oneMore = { PipelineId: pipeline, Input: { Key: "a" }, Output: { Key: "b", PresetId: hls400k } };
const list = new ListPipelinesCommand({});
await refused(ResourceInUseException, 409, () => send(new CancelJobCommand({ Id: film.Id })));
await refused(ResourceInUseException, 409, () => send(new DeletePipelineCommand({ Id: pipeline })));
for (const Command of [
  CancelJobCommand, ReadJobCommand, ReadPipelineCommand, DeletePipelineCommand, ReadPresetCommand, DeletePresetCommand,
]) await refused(ResourceNotFoundException, 404, () => send(new Command(missing)));
const message = await refused(ValidationException, 400, () => send(new ReadJobCommand({ Id: "nothing" })));
assert.equal(message, "1 validation error detected: Value 'nothing' at 'id' failed to satisfy constraint: "
  + "Member must satisfy regular expression pattern: ^\\d{13}-\\w{6}$");
await refused(AccessDeniedException, 403, () => send(new DeletePresetCommand({ Id: hls400k })));
await refused(AccessDeniedException, 403, () => clientOf(troubles.reader).send(new CreateJobCommand(oneMore)));
await refused(LimitExceededException, 429, () => send(new CreateJobCommand(oneMore)));
await refused(LimitExceededException, 429, () => send(new CreatePipelineCommand({
  Name: "a second", InputBucket: "films-in", OutputBucket: "films-out", Role: role,
})));
const aged = clientOf(account);
aged.middlewareStack.add(next => step => {
  step.request.path = step.request.path.replace("2012-09-25", troubles.version);
  return next(step);
}, { step: "build" });
await refused(IncompatibleVersionException, 400, () => aged.send(list));
const damaged = new ReadPipelineCommand({ Id: troubles.damaged.pipeline });
await refused(InternalServiceException, 500, () => clientOf(troubles.damaged).send(damaged));
const hurried = clientOf(troubles.hurried);
await refused("ThrottlingException", 429, async () => { for (let times = 0; times < 100; times++) await hurried.send(list); });
await refused("UnrecognizedClientException", 403, () => clientOf(troubles.stranger).send(list));
await refused("InvalidSignatureException", 403, () => clientOf(troubles.forger).send(list));
const late = clientOf(troubles.late);
assert.match(await refused("InvalidSignatureException", 403, () => late.send(list)), /^Signature expired: /);
assert.deepEqual((await late.send(list)).Pipelines, []); // it has set its clock by the answer

for (const Id of waiting) assert.equal((await send(new CancelJobCommand({ Id }))).$metadata.httpStatusCode, 202);
assert.equal((await send(new ReadJobCommand({ Id: waiting[0] }))).Job.Status, "Canceled");
await status("Active");

assert.equal((await send(new UpdatePipelineCommand({ Id: pipeline, Name: "more films" }))).Pipeline.Name, "more films");
const told = await send(new UpdatePipelineNotificationsCommand({ Id: pipeline, Notifications: silent }));
assert.deepEqual(told.Pipeline.Notifications, silent);
const tested = await send(new TestRoleCommand({ Role: role, InputBucket: "films-in", OutputBucket: "films-out", Topics: [] }));
assert.equal(tested.Success, "true");
assert.equal((await send(new DeletePresetCommand({ Id: preset }))).$metadata.httpStatusCode, 202);
assert.equal((await send(new DeletePipelineCommand({ Id: pipeline }))).$metadata.httpStatusCode, 202);

process.stdout.write(JSON.stringify(film));

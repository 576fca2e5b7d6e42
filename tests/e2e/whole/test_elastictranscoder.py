"""Jobs of a program that was written for Elastic Transcoder, end to end: signed, transcoded, waited for and read over its API."""

from __future__ import annotations

import datetime as dt
import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import m3u8
import pytest

from tests.contract.dialects.elastictranscoder.signing import Signer
from tests.e2e.whole.service import Service
from tests.e2e.whole.test_main_job import probed
from tests.wire_fields import carries

pytestmark = [pytest.mark.media, pytest.mark.xdist_group("whole service")]

VERSION = "/2012-09-25"
MP3 = "1351620000001-300040"
SMALL_MP4 = "1351620000001-000061"
SMALL_HLS = "1351620000001-200050"
ENGLISH = "1\n00:00:01,000 --> 00:00:02,000\nGood morning\n"


class Client:
    """Signs every request with a key that the service made for it."""

    def __init__(self, service: Service) -> None:
        self.service = service
        key = service.call("POST", "/v1/keys", {"kind": "sigv4"})
        self.signer = Signer(key["access_key_id"], key["secret_access_key"])

    def call(self, method: str, path: str, document: Any = None) -> tuple[int, Any]:
        """Status and answer, refused or not."""
        body = b"" if document is None else json.dumps(document).encode()
        host, now = urlsplit(self.service.url).netloc, dt.datetime.now(dt.UTC)
        headers = self.signer.headers(method, host, VERSION + path, body, now, {"Content-Type": "application/json"})
        url = self.service.url + VERSION + path
        request = urllib.request.Request(url, data=body or None, headers=headers, method=method)  # noqa: S310 (our own address)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def ended(self, **wishes: Any) -> Any:
        """The job of these wishes, once ReadJob tells that it has ended."""
        status, answer = self.call("POST", "/jobs", {"PipelineId": self.service.pipeline_id, **wishes})
        assert status == 201, answer
        job_id = answer["Job"]["Id"]
        self.service.until(lambda: self.read(job_id)["Status"] in ("Complete", "Error"), 120)
        return self.read(job_id)

    def read(self, job_id: str) -> Any:
        status, answer = self.call("GET", f"/jobs/{job_id}")
        assert status == 200, answer
        return answer["Job"]


@pytest.fixture(scope="module")
def client(service: Service) -> Client:
    return Client(service)


@carries(
    "OutputKeyPrefix",
    "Inputs[].TimeSpan.Duration",
    "Inputs[].InputCaptions.CaptionSources",
    "Inputs[].DetectedProperties",
    "Outputs[].SegmentDuration",
    "Outputs[].ThumbnailPattern",
    "Outputs[].Captions.CaptionFormats[].Pattern",
    "Outputs[].Captions.CaptionFormats[].Format",
    "Playlists[].Name",
    "Playlists[].Format",
    "Playlists[].OutputKeys",
)
def test_a_playlist_thumbnails_and_captions_are_made_under_the_names_of_the_service(
    service: Service, client: Client
) -> None:
    service.put("in/english.srt", ENGLISH.encode())
    base = f"{uuid4().hex}/"
    job = client.ended(
        Input={
            "Key": "in/bunny.mp4",
            "TimeSpan": {"StartTime": "00:00:00.000", "Duration": "00:00:04.000"},
            "InputCaptions": {
                "MergePolicy": "Override",
                "CaptionSources": [{"Key": "in/english.srt", "Language": "en", "Label": "English"}],
            },
        },
        OutputKeyPrefix=base,
        Outputs=[
            {
                "Key": "hls/400k",
                "PresetId": SMALL_HLS,
                "SegmentDuration": "2",
                "Captions": {"CaptionFormats": [{"Format": "webvtt", "Pattern": "hls/subtitles-{language}"}]},
            },
            {
                "Key": "film.mp4",
                "PresetId": SMALL_MP4,
                "ThumbnailPattern": "thumbnails/{resolution}-{count}",
                "Captions": {"CaptionFormats": [{"Format": "mov-text"}]},
            },
        ],
        Playlists=[{"Name": "hls/index", "Format": "HLSv3", "OutputKeys": ["hls/400k"]}],
    )
    assert job["Status"] == "Complete", job
    assert {part["Status"] for part in [*job["Outputs"], *job["Playlists"]]} == {"Complete"}
    folder = service.outputs / base
    (rendition,) = m3u8.load(str(folder / "hls" / "index.m3u8")).playlists
    assert rendition.uri == "400k.m3u8"
    names = [segment.uri for segment in m3u8.load(str(folder / "hls" / "400k.m3u8")).segments]
    assert names == [f"400k{number:05}.ts" for number in range(len(names))]
    assert "Good morning" in (folder / "hls" / "subtitles-en00000.vtt").read_text()
    assert [path.name.rpartition("-")[2] for path in (folder / "thumbnails").iterdir()] == ["00001.png"]
    kinds = [stream["codec_name"] for stream in probed(folder / "film.mp4")["streams"]]
    assert sorted(kinds) == ["aac", "h264", "mov_text"]
    film = job["Outputs"][1]
    assert (film["Width"], film["Height"], film["Duration"]) == (320, 180, 4)
    assert (film["FileSize"], film["FrameRate"]) == ((folder / "film.mp4").stat().st_size, "15")
    assert job["Input"]["DetectedProperties"]["Width"] == 1280
    timing = job["Timing"]
    assert timing["SubmitTimeMillis"] <= timing["StartTimeMillis"] <= timing["FinishTimeMillis"]
    status, listed = client.call("GET", f"/jobsByPipeline/{service.pipeline_id}")
    assert status == 200
    assert job["Id"] in {one["Id"] for one in listed["Jobs"]}


def test_an_output_that_exists_is_not_made_again(service: Service, client: Client) -> None:
    wishes: dict[str, Any] = {
        "Input": {"Key": "in/bunny.mp4"},
        "OutputKeyPrefix": f"{uuid4().hex}/",
        "Output": {"Key": "sound.mp3", "PresetId": MP3},
    }
    assert client.ended(**wishes)["Status"] == "Complete"
    again = client.ended(**wishes, UserMetadata={"again": "yes"})
    assert (again["Status"], again["Output"]["Status"]) == ("Error", "Error")
    assert again["Output"]["StatusDetail"].startswith("3002 ")


def test_an_output_that_fails_leaves_the_others_alone(service: Service, client: Client) -> None:
    captions = {
        "CaptionFormats": [{"Format": "srt", "Pattern": "{language}"}],
        "CaptionSources": [{"Key": "in/nowhere.srt", "Language": "en"}],
    }
    job = client.ended(
        Input={"Key": "in/bunny.mp4", "TimeSpan": {"Duration": "1"}},
        OutputKeyPrefix=f"{uuid4().hex}/",
        Outputs=[
            {"Key": "film.mp4", "PresetId": SMALL_MP4, "Captions": captions},
            {"Key": "sound.mp3", "PresetId": MP3},
        ],
    )
    assert [job["Status"], *(output["Status"] for output in job["Outputs"])] == ["Error", "Error", "Complete"]
    assert job["Outputs"][0]["StatusDetail"].startswith("3001 ")


def test_an_input_that_is_not_there_fails_them_all(service: Service, client: Client) -> None:
    outputs = [{"Key": key, "PresetId": MP3} for key in ("a.mp3", "b.mp3")]
    job = client.ended(Inputs=[{"Key": "in/nowhere.mp4"}], OutputKeyPrefix=f"{uuid4().hex}/", Outputs=outputs)
    assert job["Status"] == "Error"
    assert {output["StatusDetail"][:5] for output in job["Outputs"]} == {"3001 "}

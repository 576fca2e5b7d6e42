"""Keys of encrypted objects: sealed as soon as they are known, told to the node that works with them and to their owner."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from shared.jobspec.encryption import EncryptionMode
from tests.builders import mp4_settings
from tests.contract.api.service import Caller, Node, Service, a_document
from tests.fields import shows

KEY = bytes(range(32))
VECTOR = bytes(range(16))


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def encryption(**changes: Any) -> dict[str, Any]:
    given = {
        "mode": "aes-gcm",
        "key": b64(KEY),
        "key_md5": b64(hashlib.md5(KEY, usedforsecurity=False).digest()),
        "initialization_vector": b64(VECTOR),
    }
    return {name: value for name, value in (given | changes).items() if value is not None}


def encrypted(pipeline: str, **changes: Any) -> dict[str, Any]:
    output = {"key": "film.mp4", "settings": mp4_settings(), "encryption": encryption(**changes)}
    return a_document(pipeline, outputs=[output])


async def test_a_key_is_answered_sealed_and_never_twice_alike(tenant: Caller, pipeline: str) -> None:
    first, second = [(await tenant.post("/v1/jobs", encrypted(pipeline))).json for _ in range(2)]
    sealed = [answer["outputs"][0]["encryption"]["key"] for answer in (first, second)]
    assert len({b64(KEY), *sealed}) == 3
    assert all(KEY not in base64.b64decode(key) for key in sealed)
    assert first["outputs"][0]["encryption"] | {"key": ""} == encryption(key="")


async def test_the_owner_can_have_the_key_revealed(tenant: Caller, pipeline: str) -> None:
    job_id = (await tenant.post("/v1/jobs", encrypted(pipeline))).json["id"]
    revealed = (await tenant.post(f"/v1/jobs/{job_id}/reveal")).json["items"]
    assert revealed == [
        {
            "pointer": "/outputs/0/encryption",
            "key": b64(KEY),
            "key_md5": encryption()["key_md5"],
            "initialization_vector": b64(VECTOR),
        }
    ]


@pytest.mark.parametrize("mode", EncryptionMode)
async def test_what_is_left_out_is_made(tenant: Caller, pipeline: str, mode: EncryptionMode) -> None:
    document = encrypted(pipeline, mode=mode, key=None, key_md5=None, initialization_vector=None)
    made = (await tenant.post("/v1/jobs", document)).json
    [revealed] = (await tenant.post(f"/v1/jobs/{made['id']}/reveal")).json["items"]
    answered = made["outputs"][0]["encryption"]
    assert len(base64.b64decode(revealed["key"])) == 32
    assert len(base64.b64decode(revealed["initialization_vector"])) == 16
    assert answered["key_md5"] == b64(hashlib.md5(base64.b64decode(revealed["key"]), usedforsecurity=False).digest())
    assert answered["initialization_vector"] == revealed["initialization_vector"]


async def test_a_sealed_key_stands_for_the_key_in_another_job(tenant: Caller, pipeline: str) -> None:
    sealed = (await tenant.post("/v1/jobs", encrypted(pipeline))).json["outputs"][0]["encryption"]["key"]
    source = {"key": "in.mp4", "encryption": encryption(key=sealed)}
    job_id = (await tenant.post("/v1/jobs", a_document(pipeline, inputs=[source]))).json["id"]
    [revealed] = (await tenant.post(f"/v1/jobs/{job_id}/reveal")).json["items"]
    assert (revealed["pointer"], revealed["key"]) == ("/inputs/0/encryption", b64(KEY))


async def test_a_key_that_was_sealed_for_another_tenant_is_refused(
    service: Service, tenant: Caller, pipeline: str
) -> None:
    other = await service.tenant("other")
    theirs = await other.post("/v1/jobs", encrypted(await other.pipeline()))
    sealed = theirs.json["outputs"][0]["encryption"]["key"]
    answer = await tenant.post("/v1/jobs", encrypted(pipeline, key=sealed))
    assert answer.fault == (400, "invalid_field", "/outputs/0/encryption/key")


@shows("encryption.key_md5")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"key": b64(KEY[:15])}, "key"),
        ({"key": "not base64"}, "key"),
        ({"key_md5": b64(VECTOR)}, "key_md5"),
        ({"initialization_vector": b64(VECTOR[:8])}, "initialization_vector"),
        ({"mode": "s3"}, "mode"),
        ({"mode": "s3-aws-kms"}, "mode"),
    ],
)
async def test_what_cannot_be_a_key_is_refused_and_not_repeated(
    tenant: Caller, pipeline: str, changes: dict[str, str], field: str
) -> None:
    answer = await tenant.post("/v1/jobs", encrypted(pipeline, **changes))
    assert answer.fault == (400, "invalid_field", f"/outputs/0/encryption/{field}")
    assert changes.get("key", b64(KEY)).encode() not in answer.content


async def test_a_digest_that_is_not_that_of_a_sealed_key_is_refused(tenant: Caller, pipeline: str) -> None:
    sealed = (await tenant.post("/v1/jobs", encrypted(pipeline))).json["outputs"][0]["encryption"]["key"]
    answer = await tenant.post("/v1/jobs", encrypted(pipeline, key=sealed, key_md5=b64(VECTOR)))
    assert answer.fault == (400, "invalid_field", "/outputs/0/encryption/key_md5")


async def test_an_encrypted_input_needs_its_key_and_vector(tenant: Caller, pipeline: str) -> None:
    for field in ("key", "initialization_vector"):
        source = {"key": "in.mp4", "encryption": encryption(key_md5=None, **{field: None})}
        answer = await tenant.post("/v1/jobs", a_document(pipeline, inputs=[source]))
        assert answer.fault == (400, "invalid_field", f"/inputs/0/encryption/{field}")


async def test_segments_and_members_of_playlists_are_not_encrypted_as_files(tenant: Caller, pipeline: str) -> None:
    segmented = {"key": "s", "preset_id": "1351620000001-200050", "segment_duration": 6, "encryption": encryption()}
    answer = await tenant.post("/v1/jobs", a_document(pipeline, outputs=[segmented]))
    assert answer.fault == (400, "invalid_field", "/outputs/0/encryption")
    member = {"key": "d.mp4", "preset_id": "1351620000001-500050", "encryption": encryption()}
    playlist = {"name": "index", "format": "MPEG-DASH", "output_keys": ["d.mp4"]}
    answer = await tenant.post("/v1/jobs", a_document(pipeline, outputs=[member], playlists=[playlist]))
    assert answer.fault == (400, "invalid_field", "/playlists/0/output_keys/0")


async def test_captions_that_players_read_are_not_encrypted_as_files(tenant: Caller, pipeline: str) -> None:
    captions = {"formats": [{"format": "webvtt", "pattern": "c-{language}", "encryption": encryption()}]}
    output = {"key": "s", "preset_id": "1351620000001-200050", "segment_duration": 6, "captions": captions}
    answer = await tenant.post("/v1/jobs", a_document(pipeline, outputs=[output]))
    assert answer.fault == (400, "invalid_field", "/outputs/0/captions/formats/0/encryption")
    captions["formats"][0]["format"] = "srt"
    assert (await tenant.post("/v1/jobs", a_document(pipeline, outputs=[output]))).status == 201


async def test_the_node_is_told_the_keys_themselves(tenant: Caller, pipeline: str, node: Node) -> None:
    thumbnails = {"pattern": "t-{count}", "encryption": encryption(mode="aes-ctr")}
    output = {"key": "film.mp4", "settings": mp4_settings(), "encryption": encryption(), "thumbnails": thumbnails}
    source = {"key": "in.mp4", "encryption": encryption(mode="aes-cbc-pkcs7")}
    await tenant.post("/v1/jobs", a_document(pipeline, inputs=[source], outputs=[output]))
    order = await node.take()
    [read] = order.inputs
    [made] = order.payload.outputs
    assert made.thumbnails is not None
    ciphers = [read.encryption, made.encryption, made.thumbnails.encryption]
    assert [cipher and (cipher.mode, cipher.key) for cipher in ciphers] == [
        ("aes-cbc-pkcs7", b64(KEY)),
        ("aes-gcm", b64(KEY)),
        ("aes-ctr", b64(KEY)),
    ]


async def test_what_is_kept_holds_no_key(service: Service, tenant: Caller, pipeline: str) -> None:
    await tenant.post("/v1/jobs", encrypted(pipeline, client_request_token="token") | {"client_request_token": "token"})
    files = [path for path in service.state.rglob("*") if path.is_file()]
    assert files
    for form in (KEY, b64(KEY).encode(), KEY.hex().encode()):
        assert [path.name for path in files if form in path.read_bytes()] == []

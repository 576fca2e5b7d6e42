"""Keys of playlists: like those of encrypted objects they are sealed, completed, revealed to their owner and told to nodes."""

from __future__ import annotations

import base64
from typing import Any

from tests.contract.api.service import Caller, Node, Service, a_document
from tests.fields import shows

KEY = base64.b64encode(bytes(range(16))).decode()
VIDEO = {"codec": "h264", "fixed_gop": True, "keyframes_max_distance": 60}
LICENSED = {
    "format": "microsoft",
    "key": KEY,
    "key_id": "01020304-0506-0708-090A-0B0C0D0E0F10",
    "license_acquisition_url": "https://licences.example/?a=1&b=2",
}


def a_film(pipeline: str, form: str, **protection: Any) -> dict[str, Any]:
    container = "ts" if form.startswith("HLS") else "fmp4"
    output = {"key": "film", "segment_duration": 4, "settings": {"container": container, "video": VIDEO}}
    playlist = {"name": "index", "format": form, "output_keys": ["film"], **protection}
    return a_document(pipeline, outputs=[output], playlists=[playlist])


async def test_a_content_key_is_made_where_none_is_given(tenant: Caller, pipeline: str, node: Node) -> None:
    wanted = {"method": "aes-128", "key_storage_policy": "WithVariantPlaylists"}
    made = (await tenant.post("/v1/jobs", a_film(pipeline, "HLSv4", hls_content_protection=wanted))).json
    answered = made["playlists"][0]["hls_content_protection"]
    [revealed] = (await tenant.post(f"/v1/jobs/{made['id']}/reveal")).json["items"]
    assert revealed["pointer"] == "/playlists/0/hls_content_protection"
    assert len(base64.b64decode(revealed["key"])) == 16
    assert len(base64.b64decode(answered["initialization_vector"])) == 16
    assert answered["key"] != revealed["key"]
    [playlist] = (await node.take()).payload.playlists
    protection = playlist.hls_protection
    assert protection is not None
    assert (protection.cipher.key, protection.url) == (revealed["key"], None)
    assert protection.cipher.initialization_vector == answered["initialization_vector"]


async def test_a_drm_key_reaches_the_node_and_nothing_else(
    service: Service, tenant: Caller, pipeline: str, node: Node
) -> None:
    made = await tenant.post("/v1/jobs", a_film(pipeline, "MPEG-DASH", play_ready_drm=LICENSED))
    assert KEY.encode() not in made.content
    assert made.json["playlists"][0]["play_ready_drm"]["key_id"] == LICENSED["key_id"].lower()
    for form in (KEY.encode(), bytes(range(16))):
        assert [path.name for path in service.state.rglob("*") if path.is_file() and form in path.read_bytes()] == []
    [playlist] = (await node.take()).payload.playlists
    protection = playlist.license_protection
    assert protection is not None
    assert (protection.cipher.key, protection.url) == (KEY, LICENSED["license_acquisition_url"])
    assert len(base64.b64decode(protection.cipher.initialization_vector)) == 8


@shows("playlists[].hls_content_protection.key_md5", "playlists[].play_ready_drm.key_md5")
async def test_what_cannot_protect_is_refused_where_it_is(tenant: Caller, pipeline: str) -> None:
    for changes, field in (
        ({"key": KEY[:8]}, "key"),
        ({"key_md5": KEY}, "key_md5"),
        ({"initialization_vector": KEY}, "initialization_vector"),
        ({"key_id": "1"}, "key_id"),
        ({"format": "fairplay"}, "format"),
        ({"license_acquisition_url": "ftp://x"}, "license_acquisition_url"),
    ):
        answer = await tenant.post("/v1/jobs", a_film(pipeline, "Smooth", play_ready_drm=LICENSED | changes))
        assert answer.fault == (400, "invalid_field", f"/playlists/0/play_ready_drm/{field}")
    hls = {"method": "aes-128", "key": KEY, "key_md5": KEY, "key_storage_policy": "WithVariantPlaylists"}
    answer = await tenant.post("/v1/jobs", a_film(pipeline, "HLSv3", hls_content_protection=hls))
    assert answer.fault == (400, "invalid_field", "/playlists/0/hls_content_protection/key_md5")
    for form, field in (("CMAF", "play_ready_drm"), ("HLSv3", "play_ready_drm")):
        answer = await tenant.post("/v1/jobs", a_film(pipeline, form, **{field: LICENSED}))
        assert answer.fault == (400, "invalid_field", f"/playlists/0/{field}")

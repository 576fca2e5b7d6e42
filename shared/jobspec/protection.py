"""How a playlist's segments are kept from those who have no licence."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from shared.jobspec.encryption import KeyMaterial
from shared.jobspec.mismatch import mismatch

LicenseUrl = Annotated[str, StringConstraints(pattern=r"^https?://[!#-;=?-~]+$", max_length=512)]
"""Absolute, and without anything that would end it inside a playlist."""


class KeyStoragePolicy(StrEnum):
    NO_STORE = "NoStore"
    WITH_VARIANT_PLAYLISTS = "WithVariantPlaylists"


class HlsContentProtection(KeyMaterial):
    """AES-128 of whole segments; every player of HLS can open them once it has the key."""

    key_lengths: ClassVar[tuple[int, ...]] = (16,)

    method: Literal["aes-128"] = Field(description="How segments are encrypted.")
    license_acquisition_url: LicenseUrl | None = Field(
        None, description="Where players get the key: with `NoStore`, which needs it."
    )
    key_storage_policy: KeyStoragePolicy = Field(
        KeyStoragePolicy.NO_STORE, description="Whether the key becomes an object beside each variant playlist."
    )

    @model_validator(mode="after")
    def _is_found_in_one_place(self) -> Self:
        stored = self.key_storage_policy is KeyStoragePolicy.WITH_VARIANT_PLAYLISTS
        if stored and self.license_acquisition_url is not None:
            raise mismatch("license_acquisition_url", "A key that is stored with the playlists is got from there.")
        if not stored and self.license_acquisition_url is None:
            raise mismatch("license_acquisition_url", "Say where players get the key, or have it stored.")
        return self


_KEY_ID: Final = r"^([0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32})$"


def _hyphenated(text: str) -> str:
    return str(UUID(text))


KeyId = Annotated[str, StringConstraints(pattern=_KEY_ID), AfterValidator(_hyphenated)]


class PlayReadyDrm(KeyMaterial):
    """Common encryption (AES-CTR) with a PlayReady header; licences come from a server of the tenant's."""

    key_lengths: ClassVar[tuple[int, ...]] = (16,)
    vector_length: ClassVar[int] = 8

    format: Literal["microsoft", "discretix-3.0"] = Field(
        description="Whose players it is for. What is written is the same: both read the PlayReady header."
    )
    key_id: KeyId = Field(
        description="Of the key at the licence server, as UUIDs are written: most significant byte first."
    )
    license_acquisition_url: LicenseUrl = Field(description="Of the server that gives players their licences.")

    @model_validator(mode="after")
    def _has_a_key(self) -> Self:
        if self.key is None:
            raise mismatch("key", "The licence server's key is needed.")
        return self

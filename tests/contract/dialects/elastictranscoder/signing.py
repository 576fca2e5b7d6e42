"""Signs requests as vendors' clients do: written from the specification, apart from what checks them."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from urllib.parse import quote


@dataclass(frozen=True)
class Signer:
    access_key_id: str
    secret: str
    region: str = "us-east-1"
    service: str = "elastictranscoder"
    separator: str = ", "
    dated_by: str = "X-Amz-Date"

    def headers(
        self, method: str, host: str, target: str, body: bytes, at: dt.datetime, more: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Those to send with a request: `more`, which are signed too, the moment and the signature."""
        moment = at.strftime("%Y%m%dT%H%M%SZ")
        told = moment if self.dated_by == "X-Amz-Date" else format_datetime(at, usegmt=True)
        given = {**(more or {}), self.dated_by: told}
        signed = {name.lower(): " ".join(value.split()) for name, value in ({"host": host} | given).items()}
        scope = "/".join((moment[:8], self.region, self.service, "aws4_request"))
        path, _, query = target.partition("?")
        names = ";".join(sorted(signed))
        request = "\n".join(
            (
                method,
                quote(path, safe="/-._~"),
                "&".join(sorted(part if "=" in part else f"{part}=" for part in query.split("&") if part)),
                *(f"{name}:{signed[name]}" for name in sorted(signed)),
                "",
                names,
                hashlib.sha256(body).hexdigest(),
            )
        )
        text = "\n".join(("AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()))
        key = ("AWS4" + self.secret).encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        parts = (f"Credential={self.access_key_id}/{scope}", f"SignedHeaders={names}", f"Signature={signature}")
        return given | {"Authorization": f"AWS4-HMAC-SHA256 {self.separator.join(parts)}"}

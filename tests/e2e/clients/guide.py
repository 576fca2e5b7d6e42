"""What stands in `docs/elastictranscoder/clients.md` to be run: its blocks, for the account of a test instead of the example's."""

from __future__ import annotations

import re
from pathlib import Path

from tests.e2e.clients.account import Account

PAGE = Path(__file__).parents[3] / "docs" / "elastictranscoder" / "clients.md"


def blocks(section: str, language: str, account: Account) -> list[str]:
    """Those below a heading."""
    text = PAGE.read_text()
    _, _, rest = text.partition(f"\n## {section}\n")
    assert rest, section
    found = re.findall(rf"^```{language}\n(.*?)^```$", rest.partition("\n## ")[0], re.MULTILINE | re.DOTALL)
    return [_for(account, block) for block in found]


def _for(account: Account, block: str) -> str:
    instead = {
        "https://transcoder.example.net": account.service.url,
        "AKIAIOSFODNN7EXAMPLE": account.access_key_id,
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY": account.secret_access_key,
    }
    for example, own in instead.items():
        block = block.replace(example, own)
    return block

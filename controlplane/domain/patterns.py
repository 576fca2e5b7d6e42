"""Keys with placeholders in them: what nodes may have made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping


def may_be(key: str, pattern: str, fillings: Mapping[str, str], ending: str) -> bool:
    """Whether a key is the pattern with everything filled in, and an ending.

    `fillings` are expressions by placeholder, `ending` is one too. A placeholder stands for the same wherever it stands. Tenants
    may write it as often as they like, so what it stands for has a bounded length: else there would be no end of ways to try.
    """
    expression = re.escape(pattern)
    for number, (placeholder, filling) in enumerate(fillings.items()):
        expression = expression.replace(re.escape(placeholder), f"(?P<p{number}>{filling})", 1)
        expression = expression.replace(re.escape(placeholder), f"(?P=p{number})")
    return re.fullmatch(f"{expression}(?:{ending})", key, re.ASCII) is not None

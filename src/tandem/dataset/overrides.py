"""Words of the command line, as messages name them."""

import json
import re
import shlex
from collections.abc import Sequence

_PLAIN = r"(?!(?i:null|true|false|nan|inf)$)[^\W\d][\w.-]*"  # what Hydra takes as text unquoted


def override(key: str, items: Sequence[str]) -> str:
    """The words that set a list on the command line, quoted for the shell where they must be."""
    if all(re.fullmatch(_PLAIN, item) for item in items):
        return f"dataset.{key}=[{','.join(items)}]"
    listed = json.dumps(items, ensure_ascii=False, separators=(",", ":"))
    return shlex.quote(f"dataset.{key}={listed}")

"""The pages that lie beside this module, to be filled."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template


@cache
def template(name: str) -> "Template":
    """The page called `name`. What it is not given is an error; what it is given is escaped."""
    from jinja2 import (  # noqa: PLC0415 - only where a page is written
        Environment,
        PackageLoader,
        StrictUndefined,
    )

    beside = PackageLoader("tandem.reporting", "")
    pages = Environment(loader=beside, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return pages.get_template(name)

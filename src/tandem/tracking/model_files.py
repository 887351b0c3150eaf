"""The files of a logged model: what it takes to predict, no more, and whether they are those."""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import tandem
from tandem.errors import TrackingError
from tandem.machine import digest_of

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel

MODEL_DIGEST, CODE_DIGEST = "model.sha256", "code.sha256"
_DATA, _CODE = "data", "code"


def sources() -> dict[str, Path]:
    """The files of the package that `tandem.model` needs to predict, by their place in it.

    What it imports when it is imported, and what that does, in turn.
    """
    package = Path(tandem.__file__).parent
    found, open_ = {"__init__.py": package / "__init__.py"}, ["model"]
    while open_:
        name = f"{open_.pop()}.py"
        if name not in found:
            found[name] = package / name
            open_ += _imported(ast.parse(found[name].read_text(encoding="utf-8")))
    return dict(sorted(found.items()))


def tags(model: Path) -> dict[str, str]:
    """The digests of a model's JSON and of the code beside it, to find them changed by."""
    return {MODEL_DIGEST: digest_of(model), CODE_DIGEST: _together(sources())}


def check_files(folder: Path, model: "LoggedModel") -> None:
    """Raise TrackingError where the files in `folder` are not those that were logged.

    A model of before it had digests is taken as it is.
    """
    if MODEL_DIGEST not in model.tags:
        return
    (data,) = (folder / _DATA).glob("*.json")
    code = folder / _CODE / "tandem"
    own = {str(file.relative_to(code)): file for file in sorted(code.rglob("*.py"))}
    found = {MODEL_DIGEST: digest_of(data), CODE_DIGEST: _together(own)}
    for tag, file in ((MODEL_DIGEST, data), (CODE_DIGEST, code)):
        if found[tag] != model.tags[tag]:
            raise TrackingError(
                f"model {model.model_id}: {file.relative_to(folder)}: not what was trained: its "
                f"SHA-256 is not the tag {tag} -> train it again, or ask who has changed the store"
            )


def _imported(module: ast.Module) -> Iterator[str]:
    """The modules of the package that a module imports when it is imported."""
    for line in module.body:
        if isinstance(line, ast.ImportFrom) and line.module:
            package, _, name = line.module.partition(".")
            if package == "tandem":
                yield from [name] if name else [alias.name for alias in line.names]


def _together(files: dict[str, Path]) -> str:
    """One digest of several files, by their places and contents."""
    lines = [f"{digest_of(file)}  {place}\n" for place, file in files.items()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()

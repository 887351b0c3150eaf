"""Imports go one way, heavy libraries stay where they belong, everything public is explained."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tandem
from tandem.scan import moments_cache

SOURCES = Path(tandem.__file__).parent
ROOT = Path(__file__).parents[1]


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCES.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(SOURCES.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}

every_module = pytest.mark.parametrize("module", FILES)


def imported(tree: ast.Module) -> Iterator[str]:
    """Every module that a source names in an import, wherever in it the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            assert node.module
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in FILES else node.module


def own(module: str) -> set[str]:
    return {name for name in imported(TREES[module]) if name.split(".")[0] == "tandem"}


def reachable(module: str) -> set[str]:
    """Also by way of the packages that a name stands in, whose faces are imported too."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        if (name := waiting.pop()) not in found:
            found.add(name)
            waiting.extend(own(name))
            waiting.extend(filter(None, [name.rpartition(".")[0]]))
    return found


def test_an_import_is_seen_wherever_it_stands() -> None:
    text = (
        "import a.b as c\nfrom tandem import reporting\nfrom tandem.errors import DataError\n"
        "if TYPE_CHECKING:\n    import d\ndef f():\n    from e.g import h\n"
    )
    found = {*imported(ast.parse(text))}
    assert found == {"a.b", "tandem.reporting", "tandem.errors", "d", "e.g"}


def test_the_contracts_of_the_imports_are_kept() -> None:
    """The layers of the packages, and which library is for whom: see pyproject.toml."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_packages_know_few_others() -> None:
    """At most 40 arrows between packages, a file that lies beside them is none."""
    packages = {name for name, path in FILES.items() if path.name == "__init__.py"} - {"tandem"}
    arrows = {
        (inside, found)
        for module in FILES
        for name in own(module)
        if (inside := ".".join(module.split(".")[:2])) in packages
        and (found := ".".join(name.split(".")[:2])) in packages - {inside}
    }
    assert len(arrows) <= 40, sorted(arrows)


def test_the_keys_of_kept_sums_cover_all_code_that_makes_sums() -> None:
    covered = {module_name(path) for part in moments_cache._CODE for path in SOURCES.glob(part)}
    needed = reachable("tandem.scan.work") | reachable("tandem.scan.moments_cache")
    says = {"tandem", "tandem.errors", "tandem.redaction"}  # no number passes through these
    kept = {name for name in needed if name.startswith("tandem.machine")}
    assert needed - covered - says - kept == set()


@every_module
def test_a_file_is_shorter_than_300_lines(module: str) -> None:
    assert len(FILES[module].read_text(encoding="utf-8").splitlines()) < 300


def undocumented(tree: ast.Module) -> Iterator[str]:
    """Public functions, classes and methods without a docstring; what is nested is private."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            if ast.get_docstring(node) is None:
                yield node.name
            # The methods of an engine are explained in the contract, engines/base.py.
            if isinstance(node, ast.ClassDef) and node.name != "Engine":
                yield from _undocumented_methods(node)


def _undocumented_methods(node: ast.ClassDef) -> Iterator[str]:
    for method in node.body:
        if not isinstance(method, ast.FunctionDef) or method.name.startswith("_"):
            continue
        if not method.name.startswith("on_") and ast.get_docstring(method) is None:  # Hydra's
            yield f"{node.name}.{method.name}"


def test_a_missing_docstring_is_seen() -> None:
    text = (
        'class A:\n    """x"""\n    def b(self): ...\n    def __len__(self): ...\n'
        "    def on_end(self): ...\n    def _c(self): ...\n"
        'class Engine:\n    """x"""\n    def load(self): ...\n'
        "def d(): ...\ndef _e(): ...\nclass F: ..."
    )
    assert [*undocumented(ast.parse(text))] == ["A.b", "d", "F"]


def test_the_contract_of_an_engine_is_documented() -> None:
    engine = next(
        node
        for node in TREES["tandem.engines.base"].body
        if isinstance(node, ast.ClassDef) and node.name == "Engine"
    )
    assert [*_undocumented_methods(engine)] == []


@every_module
def test_everything_public_has_a_docstring(module: str) -> None:
    assert ast.get_docstring(TREES[module])
    assert list(undocumented(TREES[module])) == []


def test_the_layout_of_a_record_folder_stands_in_one_module() -> None:
    """Every text of that module that is the name of a file, and the folder of the artifacts."""
    texts = [node.value for node in ast.walk(TREES["tandem.tracking.folder"])
             if isinstance(node, ast.Constant) and isinstance(node.value, str)]  # fmt: skip
    kinds = r"[\w/]+\.(csv|html|json|png|txt|yaml)"
    files = {Path(text).name for text in texts if re.fullmatch(kinds, text)}
    assert {"fold_metrics.csv", "folds.csv", "model.json", "log.txt"} < files
    named = re.compile("|".join(rf'["/]{re.escape(name)}"' for name in {*files, "artifacts"}))
    sources = [*SOURCES.rglob("*.py"), *(ROOT / "experiments").rglob("*.py")]
    assert [path.name for path in sources if named.search(path.read_text())] == ["folder.py"]


def test_studies_and_tests_do_not_know_each_other() -> None:
    """A study is a command; a test runs it, or reads what it wrote."""
    imported = re.compile(r"^\s*(?:from|import) (\w+)", re.MULTILINE)
    studies = [*(ROOT / "experiments").rglob("*.py")]
    own = {path.stem for path in studies} | {"experiments"}
    for path in studies:
        assert "tests" not in imported.findall(path.read_text()), path
    for path in (ROOT / "tests").rglob("*.py"):
        assert not own & {*imported.findall(path.read_text())}, path


ARRAYS = re.compile(r"\b(Array|Integers|Mask|DoubleDouble|NDArray)\b")


def public(node: ast.AST) -> bool:
    return isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")


def faces() -> Iterator[tuple[str, str]]:
    """Every name that another package may take, after the module that defines it."""
    for name, tree in TREES.items():
        if FILES[name].name == "__init__.py":
            for node in tree.body:
                if isinstance(node, ast.ImportFrom) and node.module in FILES:
                    yield from ((node.module, alias.name) for alias in node.names)
        elif name.count(".") == 1:
            yield from ((name, node.name) for node in tree.body if public(node))


def typed(annotation: ast.AST | None) -> bool:
    return annotation is not None and bool(ARRAYS.search(ast.unparse(annotation)))


def has_arrays(function: ast.FunctionDef) -> bool:
    arguments = (*function.args.args, *function.args.kwonlyargs)
    return typed(function.returns) or any(typed(argument.annotation) for argument in arguments)


@pytest.mark.parametrize(("module", "name"), sorted({*faces()}))
def test_what_crosses_a_border_names_shapes_and_errors(module: str, name: str) -> None:
    for node in TREES[module].body:
        if getattr(node, "name", "") != name:
            continue
        said = ast.get_docstring(node) or ""
        if isinstance(node, ast.FunctionDef):
            assert not has_arrays(node) or "shape" in said.lower()
            raised = {*re.findall(r"raise ([A-Z]\w+)\(", ast.unparse(node))}
            assert raised <= {*re.findall(r"\w+", said)}
        elif isinstance(node, ast.ClassDef):
            fields = [x for x in node.body if isinstance(x, ast.AnnAssign) and typed(x.annotation)]
            assert not fields or "shape" in said.lower()
            for method in filter(public, node.body):
                text = said + (ast.get_docstring(method) or "")
                assert not has_arrays(method) or "shape" in text.lower(), method.name


def test_the_layout_of_the_readme_is_the_tree() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8").split("src/tandem/")[-1]
    lines = [line for line in text.splitlines()[1:] if line.startswith("  ")]
    listed = {line.split()[0].rstrip("/") for line in lines}
    tree = {path.name for path in SOURCES.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert listed == tree - {"__init__.py", "__pycache__"}

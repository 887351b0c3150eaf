"""Imports go one way, heavy libraries stay where they belong, everything public is explained."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import tandem

SOURCES = Path(tandem.__file__).parent

# Lowest first; a module imports from lower layers only.
LAYERS = (
    ("tandem", "tandem.errors", "tandem.redaction"),
    ("tandem.records",),
    ("tandem.findings",),
    (
        "tandem.accumulate",
        "tandem.budget",
        "tandem.collinear",
        "tandem.crosstabs",
        "tandem.double_double",
        "tandem.elastic_net",
        "tandem.indices",
        "tandem.joints",
        "tandem.level_sums",
        "tandem.moments",
        "tandem.scaling",
        "tandem.sharing",
        "tandem.scores",
        "tandem.model",
        "tandem.solve",
    ),
    (
        "tandem.cache",
        "tandem.centres",
        "tandem.children",
        "tandem.locks",
        "tandem.profile",
        "tandem.convert",
        "tandem.csv_columns",
        "tandem.csv_reader",
        "tandem.csv_records",
        "tandem.flights",
        "tandem.dataset",
        "tandem.digests",
        "tandem.publish",
        "tandem.cleaning",
        "tandem.folds",
        "tandem.folding",
        "tandem.held_out",
        "tandem.index_rows",
        "tandem.columns",
        "tandem.residuals",
        "tandem.row_vector",
        "tandem.settle",
        "tandem.tiles",
        "tandem.parquet",
        "tandem.pieces",
        "tandem.threads",
        "tandem.row_groups",
        "tandem.group_work",
        "tandem.micro_folds",
        "tandem.moments_store",
        "tandem.second_look",
        "tandem.whole_numbers",
    ),
    ("tandem.engines", "tandem.engines.base"),
    (
        "tandem.engines.sequential",
        "tandem.engines.distributed",
        "tandem.engines.scan",
        "tandem.engines.distributed_scan",
        "tandem.engines.spark_rows",
        "tandem.engines.spark_session",
        "tandem.engines.spark_workers",
    ),
    (
        "tandem.answers",
        "tandem.charts",
        "tandem.checks",
        "tandem.comparison",
        "tandem.machine",
        "tandem.parity",
        "tandem.progress",
        "tandem.report",
        "tandem.report_page",
        "tandem.result",
        "tandem.timing",
        "tandem.tolerances",
    ),
    ("tandem.dashboard", "tandem.store"),
    ("tandem.history",),
    ("tandem.tracking",),
    ("tandem.rules",),
    ("tandem.config",),
    ("tandem.run", "tandem.compare", "tandem.advise", "tandem.study"),
    ("tandem.jobs", "tandem.outcomes", "tandem.attempt", "tandem.sweep", "tandem.launcher"),
    ("tandem.__main__",),
)
RANK = {module: rank for rank, layer in enumerate(LAYERS) for module in layer}

# Layers that tell one story in several files: any import within them that makes no cycle.
STORIES = {RANK["tandem.solve"], RANK["tandem.cache"], RANK["tandem.result"]}
STORIES |= {RANK["tandem.run"], RANK["tandem.sweep"]}
# Engines never import each other, but distributed_scan is scan elsewhere; what is Spark is none.
BETWEEN_ENGINES = {
    ("tandem.engines.distributed", "tandem.engines.spark_rows"),
    ("tandem.engines.distributed", "tandem.engines.spark_session"),
    ("tandem.engines.distributed_scan", "tandem.engines.spark_session"),
    ("tandem.engines.distributed_scan", "tandem.engines.spark_workers"),
    ("tandem.engines.distributed_scan", "tandem.engines.scan"),
}

CONFIGURED = {
    f"tandem.{name}" for name in ("config", "jobs", "launcher", "run", "compare", "__main__")
}
SPARK = {
    f"tandem.engines.{name}"
    for name in ("distributed", "distributed_scan", "spark_rows", "spark_session", "spark_workers")
}
ALLOWED = {
    "mlflow": {f"tandem.{name}" for name in ("dashboard", "history", "store", "tracking")},
    "hydra": CONFIGURED,
    "omegaconf": CONFIGURED,
    "pyspark": SPARK,
}


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


def libraries(module: str) -> set[str]:
    return {name.split(".")[0] for name in imported(TREES[module])} - {"tandem"}


def reachable(module: str) -> set[str]:
    found: set[str] = set()
    waiting = [module]
    while waiting:
        if (name := waiting.pop()) not in found:
            found.add(name)
            waiting.extend(own(name))
    return found


def test_an_import_is_seen_wherever_it_stands() -> None:
    text = (
        "import a.b as c\nfrom tandem import report\nfrom tandem.errors import DataError\n"
        "if TYPE_CHECKING:\n    import d\ndef f():\n    from e.g import h\n"
    )
    found = {*imported(ast.parse(text))}
    assert found == {"a.b", "tandem.report", "tandem.errors", "d", "e.g"}


def test_every_module_has_its_layer() -> None:
    assert {*RANK} == {*FILES}


@every_module
def test_imports_go_down(module: str) -> None:
    level = RANK[module]
    for name in own(module):
        sideways = level in STORIES or (module, name) in BETWEEN_ENGINES
        assert RANK[name] < level or (RANK[name] == level and sideways), f"{module} imports {name}"


def test_no_imports_in_a_circle() -> None:
    TopologicalSorter({module: own(module) for module in FILES}).prepare()


@every_module
def test_nobody_imports_main(module: str) -> None:
    assert "tandem.__main__" not in own(module)


@pytest.mark.parametrize("library", ALLOWED)
def test_a_heavy_library_is_imported_only_where_it_belongs(library: str) -> None:
    users = {module for module in FILES if library in libraries(module)}
    assert users
    assert users <= ALLOWED[library]


@pytest.mark.parametrize("engine", ["sequential", "scan"])
def test_an_engine_of_one_machine_never_imports_pyspark(engine: str) -> None:
    assert not {"pyspark", "py4j"} & {
        library for name in reachable(f"tandem.engines.{engine}") for library in libraries(name)
    }


def test_the_model_needs_only_records_and_findings() -> None:
    # MLflow loads it from the copy of the sources that is logged with the model.
    needed = {"tandem.model", "tandem.records", "tandem.findings"}
    assert reachable("tandem.model") == needed
    assert set().union(*map(libraries, needed)) <= {
        *("collections", "dataclasses", "enum", "json", "numpy", "pandas", "pathlib", "typing")
    }


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

"""The configuration that is shipped, and the refusal of every value that no run could use."""

import re
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from tandem.config.checked import keys
from tandem.config.composed import (
    VOLATILE,
    config_hash,
    flatten,
    settings,
    task,
)
from tandem.config.composed import compose as compose_ours
from tandem.config.unread import refuse_unread
from tandem.errors import ConfigurationError
from tandem.manual import configuration_folder, keys_table
from tandem.model_keys import GridPoint, Solver
from tandem.records import Column, Dataset, File, Kind
from tandem.registry import ENGINES
from tandem.settings import Cleaning, Encoding, Files, FitOn, Flights, Folds, MissingCategory

FOLDER = configuration_folder()
GROUPS = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
CHOICES = sorted((path.parent.name, path.stem) for path in FOLDER.glob("*/*.yaml"))
# What an option leaves for the user to say.
NEEDED = {
    ("dataset", "files"): ("dataset.path=data", "dataset.target=price"),
    ("folds", "group"): ("folds.column=who",),
    ("folds", "column"): ("folds.column=who",),
    ("folds", "time"): ("folds.column=when",),
}
# A choice without it has no use for it.
SPARED = {
    ("folds", "kfold"): {"column", "gap"},
    ("folds", "group"): {"block", "gap"},
    ("folds", "column"): {"k", "block", "repeats", "gap"},
    ("folds", "time"): {"seed", "block", "repeats"},
}

DATASET = Dataset("d", (File("a", 1, 0),), Column("c0", "y", Kind.NUMERIC), (), "digest")


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(FOLDER), version_base="1.3"):
        return compose("config", [*overrides])


def test_the_page_of_the_keys_is_what_the_files_say() -> None:
    """`make keys` writes it; every key has a meaning."""
    page = (configuration_folder() / "README.md").read_text("utf-8")
    _, _, rest = page.partition("<!-- keys: make keys -->\n")
    assert rest.partition("<!-- end -->")[0] == keys_table()
    assert {*re.findall(r"^\| `([\w.]+)`", keys_table(), re.MULTILINE)} == {*keys()}
    assert all(line.count("|") == 4 for line in keys_table().splitlines())
    assert "|  |\n" not in keys_table()


def test_every_file_is_a_choice_of_a_group() -> None:
    files = {path.relative_to(FOLDER) for path in FOLDER.rglob("*") if path.is_file()}
    choices = {Path(group, f"{name}.yaml") for group, name in CHOICES}
    assert files == {Path("config.yaml"), Path("README.md"), *choices}


@pytest.mark.parametrize(("group", "choice"), CHOICES, ids="=".join)
def test_every_choice_composes_to_valid_settings(group: str, choice: str) -> None:
    config = composed(f"{group}={choice}", *NEEDED.get((group, choice), ()))
    chosen = settings(config)
    for name in config[group]:
        assert getattr(getattr(chosen, group), name) == config[group][name]


def test_schema_and_files_name_the_same_keys() -> None:
    """No key of the schema is left to its default in code: the files hold every default."""
    for group, choice in CHOICES:
        config = composed(f"{group}={choice}")
        known = {key for key in keys() if key.startswith(f"{group}.")}
        if group == "dataset":
            kind: type = Files if choice == "files" else Flights
            known = {f"dataset.{field.name}" for field in fields(kind)}
        known -= {f"{group}.{key}" for key in SPARED.get((group, choice), ())}
        assert {f"{group}.{key}" for key in config[group]} == known, choice


def test_every_engine_on_offer_is_there_to_be_run() -> None:
    assert {*tuple(ENGINES)} == {*ENGINES}
    for name in tuple(ENGINES):
        assert settings(composed(f"engine={name}")).engine.name == name


REFUSED = {
    "folds.k=1": "folds.k: 1",
    "folds.k=x": "folds.k:",
    "folds.k=2.5": "folds.k:",
    "folds.k=null": "folds.k:",
    "folds.k=true": "folds.k: true: must be a whole number",
    "folds.seed=true": "folds.seed: true: must be a whole number",
    "spark.master='local[0]'": "spark.master: local[0]: needs a thread -> local[*], local[2]",
    "spark.master='local[0,3]'": "spark.master: local[0,3]: needs a thread -> local[*], local[2]",
    "model.reg_param=[]": "model.reg_param: is empty",
    "compare.engines=[scann]": "compare.engines: scann: must be one of sequential, distributed",
    "folds.seed=-1": "folds.seed: -1",
    "folds.block=0": "folds.block: 0",
    "+folds.kk=3": "folds.kk:",
    "+fold=3": "fold:",
    "model.reg_param=[-1]": "model.reg_param: -1",
    "model.reg_param=[0.1,-1]": "model.reg_param: -1",
    "model.reg_param=[inf]": "model.reg_param: inf",
    "model.reg_param=[nan]": "model.reg_param: nan",
    "model.reg_param=[x]": "model.reg_param",
    "model.elastic_net_param=[2]": "model.elastic_net_param: 2",
    "model.elastic_net_param=[-0.1]": "model.elastic_net_param: -0.1",
    "model.tol=0": "model.tol: 0",
    "model.tol=1": "model.tol: 1",
    "model.max_iter=0": "model.max_iter: 0",
    "model.precompute=perhaps": "model.precompute:",
    "cleaning.fit_on=trian": "cleaning.fit_on: trian: must be one of train, all",
    "cleaning.missing_category=maybe": "cleaning.missing_category: maybe",
    "cleaning.drop_column_above=1.1": "cleaning.drop_column_above: 1.1",
    "cleaning.drop_column_above=60": "cleaning.drop_column_above: 60",
    "cleaning.drop_rows_below=-0.1": "cleaning.drop_rows_below: -0.1",
    "cleaning.drop_rows_below=nan": "cleaning.drop_rows_below: nan",
    "dataset.rows=0": "dataset.rows: 0",
    "dataset.rows=-5": "dataset.rows: -5",
    "dataset.rows=1.5": "dataset.rows: 1.5: must be a whole number",
    "dataset.rows=inf": "dataset.rows: inf",
    "dataset.rows=many": "dataset.rows:",
    "dataset.seed=-1": "dataset.seed: -1",
    "dataset=files": "dataset.path: no value is given",
    "dataset=files dataset.path=data": "dataset.target: no value is given -> add --target=...;"
    " tandem inspect data lists the columns",
    "spark.parallelism=0": "spark.parallelism: 0",
    "spark.partitions=0": "spark.partitions: 0",
    "spark.shuffle_partitions=0": "spark.shuffle_partitions: 0",
    "spark.executor_cores=0": "spark.executor_cores: 0",
    "spark.executor_instances=0": "spark.executor_instances: 0",
    "spark.adaptive=3x": "spark.adaptive:",
    "engine.name=null": "engine.name:",
    "command=rum": "command: rum: must be one of run, compare",
    "debug=perhaps": "debug:",
    "sweep.jobs=0": "sweep.jobs: 0",
    "sweep.resume=perhaps": "sweep.resume:",
    "scores.mae=perhaps": "scores.mae:",
    "spark.conf=3": "spark.conf: 3: must be keys with values",
    "~folds": "folds: no value is given",
    "~dataset": "dataset: no value is given",
    "~command": "command: no value is given",
    "folds.k=${oc.env:NOT_THERE}": "folds.k: KeyError raised while resolving interpolation",
    "+dataset.path=a": "dataset.path: a: only dataset=files reads it",
    "+dataset.missing=[-]": "dataset.missing: ['-']: only dataset=files reads it",
    "dataset=files dataset.path=a dataset.target=y +dataset.rows=9": "dataset.rows: 9: only data",
    "dataset=files dataset.path=a dataset.target=y +dataset.seed=9": "dataset.seed: 9: only data",
}


@pytest.mark.parametrize(("overrides", "message"), REFUSED.items(), ids=REFUSED.keys())
def test_a_bad_value_is_refused_by_its_key(overrides: str, message: str) -> None:
    config = composed(*overrides.split())
    with pytest.raises(ConfigurationError) as caught:
        settings(config)
    assert str(caught.value).startswith(message)


OF_THE_OTHER = {
    "dataset.path=houses.csv": "dataset.path: houses.csv: only dataset=files reads it",
    "dataset.missing=[-]": "dataset.missing: [-]: only dataset=files reads it",
    "dataset.text=[zip]": "dataset.text: [zip]: only dataset=files reads it",
    "dataset=files dataset.path=a dataset.target=y dataset.rows=9": "dataset.rows: 9: only data",
    "dataset=files dataset.path=a dataset.target=y dataset.seed=9": "dataset.seed: 9: only data",
}


@pytest.mark.parametrize(("words", "message"), OF_THE_OTHER.items(), ids=OF_THE_OTHER.keys())
def test_a_key_of_the_other_dataset_is_refused_as_it_was_typed(words: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        compose_ours(*words.split())
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("group", ["folds", "spark", "dataset"])
@pytest.mark.parametrize("value", [3, [1], None])
def test_a_group_that_a_file_makes_a_value_is_refused(group: str, value: object) -> None:
    config = composed()
    OmegaConf.set_struct(config, value=False)
    config[group] = value
    with pytest.raises(ConfigurationError, match=f"^{group}: .*: must be keys with values"):
        settings(config)


ACCEPTED = (
    *("folds.k=2", "folds.block=1000", "folds.seed=0", "model.tol=null", "model.tol=1e-12"),
    *("model.reg_param=[0]", "model.elastic_net_param=[0,1]", "cleaning.drop_column_above=1"),
    *("model.reg_param=0.1", "compare.engines=scan", "dataset.exclude=[]"),
    *("cleaning.drop_rows_below=0", "dataset.rows=1", "dataset.rows=1e6", "dataset.rows=null"),
)


@pytest.mark.parametrize("override", ACCEPTED)
def test_a_value_at_the_edge_is_accepted(override: str) -> None:
    settings(composed(override))


def test_a_number_of_rows_may_be_written_as_a_power_of_ten() -> None:
    assert settings(composed("dataset.rows=1e5")).dataset.rows == 100_000


def test_settings_are_frozen() -> None:
    chosen = settings(composed())
    with pytest.raises(FrozenInstanceError):
        chosen.debug = True  # type: ignore[misc]  # what is tested
    for group in GROUPS:
        values = getattr(chosen, group)
        with pytest.raises(FrozenInstanceError):
            setattr(values, fields(values)[0].name, None)


def test_the_task_is_what_the_configuration_says() -> None:
    config = composed(
        *(
            "folds.k=5",
            "folds.seed=3",
            "folds.block=7",
            "model.reg_param=[1,0.5]",
            "model.tol=1e-9",
        ),
        *("model.elastic_net_param=[0,1]", "model.max_iter=9", "model.precompute=true"),
        *("cleaning.fit_on=all", "cleaning.missing_category=drop", "spark.partitions=11"),
        *("scores.mae=true", "cleaning.encoding=target", "cleaning.smoothing=2.5"),
        "cleaning.max_levels=7",
        "+cleaning.encodings={c: index}",
    )
    made = task(settings(config), DATASET)
    assert made.dataset is DATASET
    assert made.folds == Folds(k=5, seed=3, block=7)
    assert made.grid == tuple(GridPoint(r, a) for r, a in [(1, 0), (1, 1), (0.5, 0), (0.5, 1)])
    assert made.solver == Solver(tol=1e-9, max_iter=9, precompute=True)
    assert made.cleaning == Cleaning(
        *(0.60, 0.05, FitOn.ALL, MissingCategory.DROP, Encoding.TARGET, 7, 2.5),
        {"c": Encoding.INDEX},
    )
    assert made.scores.mae is True
    assert task(settings(composed()), DATASET).scores.mae is False
    assert (made.spark.partitions, made.spark.master) == (11, "local[*]")


def test_categories_are_features_but_for_the_flights() -> None:
    """They keep the original's ranks; what is chosen is what is recorded."""
    own = compose_ours("dataset=files", "dataset.path=x", "dataset.target=y")
    assert own.settings.cleaning.encoding is Encoding.ONE_HOT
    assert own.flat["cleaning.encoding"] == "one_hot"
    assert settings(composed()).cleaning.encoding is Encoding.INDEX


RECORDED_ONLY = (
    *("tracking.uri=x", "tracking.experiment=x", "tracking.parent_run_id=x"),
    *("tracking.record_dir=x", "compare.engines=[sequential]", "command=compare", "debug=true"),
    *("sweep.jobs=3", "sweep.resume=true"),
)


@pytest.mark.parametrize("override", RECORDED_ONLY)
def test_the_hash_ignores_where_a_run_is_recorded(override: str) -> None:
    assert config_hash(composed(override)) == config_hash(composed())


def test_the_hash_changes_with_all_that_a_run_computes() -> None:
    overrides = (
        *("folds.k=4", "folds.seed=1", "engine=distributed", "dataset.seed=1", "dataset.rows=10"),
        *("model.reg_param=[0.2]", "cleaning.fit_on=all", "spark.partitions=3"),
        "scores.mae=true",
    )
    hashes = {config_hash(composed(*chosen)) for chosen in [(), *((x,) for x in overrides)]}
    assert len(hashes) == len(overrides) + 1
    assert all(len(text) == 16 for text in hashes)


def test_the_hash_does_not_depend_on_the_order_of_the_words() -> None:
    pair = ("+spark.conf.a=1", "+spark.conf.b=2")
    assert config_hash(composed(*pair)) == config_hash(composed(*pair[::-1]))


def test_flatten_gives_the_same_keys_for_every_engine() -> None:
    keys = [[*flatten(composed(f"engine={name}"))] for name in tuple(ENGINES)]
    assert all(found == keys[0] for found in keys)
    assert {key.split(".")[0] for key in keys[0]} == {*GROUPS} - {*VOLATILE}


def test_flatten_writes_every_leaf_as_text() -> None:
    leaves = flatten(composed("dataset.exclude=[a,b]", "model.precompute=true", "folds.k=7"))
    assert leaves["folds.k"] == "7"
    assert leaves["dataset.rows"] == "null"
    assert leaves["dataset.target"] == "dep_delay"
    assert leaves["dataset.exclude"] == '["a", "b"]'
    assert leaves["model.precompute"] == "true"
    assert leaves["spark.conf"] == "{}"
    assert all(isinstance(value, str) for value in leaves.values())


UNREAD = {
    "engine=scan spark.partitions=4": "spark.partitions: 4: engine=scan does not use Spark -> ",
    "engine=sequential engine.threads=2": "engine.threads: 2: engine=sequential has no threads",
    "engine=scan model.precompute=true": "model.precompute: true: engine=scan has no use for it",
    "engine=scan compare.repeats=2": "compare.repeats: 2: only a comparison reads it -> tandem com",
    "engine=scan sweep.jobs=2": "sweep.jobs: 2: only a sweep reads it -> tandem sweep",
    "model.path=20 model.reg_param=[1]": (
        "model.reg_param: [1]: model.path=20 lays the penalties -> leave model.path out"
    ),
    "engine=scan +spark.conf={a:1}": "spark.conf: {a:1}: engine=scan does not use Spark",
}


@pytest.mark.parametrize(("words", "message"), UNREAD.items(), ids=UNREAD)
def test_a_key_that_nothing_reads_is_refused(words: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        refuse_unread(compose_ours(*words.split()))
    assert str(caught.value).startswith(message)
    child = (*words.split(), "tracking.parent_run_id=1")
    refuse_unread(compose_ours(*child))


@pytest.mark.parametrize(
    "words",
    [
        *("engine=distributed spark.partitions=4", "engine=scan engine.threads=2", "engine=scan"),
        *("command=compare compare.repeats=2 spark.partitions=3", "model.precompute=true"),
    ],
)
def test_a_key_that_is_read_is_taken(words: str) -> None:
    refuse_unread(compose_ours(*words.split()))

"""What the command line becomes before Hydra reads it."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from tandem.config.composed import compose
from tandem.config.typed import words
from tandem.errors import ConfigurationError


def read(*arguments: str) -> list[str]:
    return [*words(arguments)]


@pytest.mark.parametrize("command", ["run", "compare"])
def test_a_leading_command_becomes_a_key(command: str) -> None:
    assert read(command, "folds.k=3") == [f"command={command}", "folds.k=3"]


def test_a_leading_sweep_is_a_multirun() -> None:
    assert read("sweep", "folds.k=2,3") == ["--multirun", "folds.k=2,3"]


def test_a_command_elsewhere_is_no_command() -> None:
    for command in ("run", "sweep"):
        with pytest.raises(ConfigurationError, match=f"{command}: a command stands first"):
            read("folds.k=3", command)
    assert read("--dataset.target", "run") == ["dataset.target=run"]


def test_a_word_that_is_no_command_is_left_to_hydra() -> None:
    assert read("rum", "folds.k=3") == ["rum", "folds.k=3"]


def test_no_words_are_no_words() -> None:
    assert read() == []


def test_keys_of_ones_own_need_no_plus() -> None:
    assert read("cleaning.encodings.city=target") == ["++cleaning.encodings.city=target"]
    assert read("--spark.conf.spark.ui.port", "1") == ["++spark.conf.spark.ui.port=1"]
    assert read("dataset.dates.day=%d.%m. (x)") == ["++dataset.dates.day='%d.%m. (x)'"]
    assert read("+cleaning.encodings.city=target") == ["+cleaning.encodings.city=target"]
    chosen = compose(*words(["cleaning.encodings.a=target", "cleaning.encodings={b: index}"]))
    assert {*chosen.settings.cleaning.encodings} == {"a", "b"}


@pytest.mark.parametrize("key", ["cleaning.encodings", "spark.conf"])
def test_keys_of_a_mapping_are_new_without_a_plus(key: str) -> None:
    assert read(f"{key}={{a: b}}", f"+{key}={{a: b}}") == [f"+{key}={{a: b}}"] * 2
    assert read(f"{key}.a=b") == [f"++{key}.a=b"]


def test_overrides_are_untouched() -> None:
    overrides = ["folds.k=3", "+a=b", "~c", "++d.e=[1,2]", "f='--g h'", "i=--overrides"]
    assert read(*overrides) == overrides


@pytest.mark.parametrize("value", ["scan", "-1", "a b.csv", "", "[0.1,0.01]", "a=b", "--x"])
def test_a_dashed_key_takes_the_next_word_as_it_is(value: str) -> None:
    word, other = read("--some.key", value, "folds.k=3")
    assert word in {f"some.key={value}", f"some.key='{value}'"}
    assert other == "folds.k=3"


def test_a_dashed_key_with_its_value_is_one_word() -> None:
    assert read("--folds.k=3", "--a=b=c", "x=y") == ["folds.k=3", "a='b=c'", "x=y"]


def test_what_mlflow_run_hands_over_is_understood() -> None:
    overrides = "folds.k=10 model.reg_param=[0.1,0.01]"
    assert read("run", "--engine", "scan", "--dataset", "flights", "--overrides", overrides) == [
        *("command=run", "engine=scan", "dataset=flights"),
        *("folds.k=10", "model.reg_param=[0.1,0.01]"),
    ]


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("", []),
        ("  ", []),
        ("a=1", ["a=1"]),
        (" a=1   b=2 ", ["a=1", "b=2"]),
        ("a='x y' b=2", ["a=x y", "b=2"]),
        ('a="[0.1, 0.01]" b=2', ["a=[0.1, 0.01]", "b=2"]),
        ("a=[0.1,0.01]", ["a=[0.1,0.01]"]),
        ("\"a='x,y'\"", ["a='x,y'"]),
        ("a=data/*.csv", ["a=data/*.csv"]),
        ("a=$(touch x) b=`id`;c", ["a='$(touch'", "x)", "b='`id`;c'"]),
        ("-m --cfg job", ["-m", "--cfg", "job"]),
    ],
)
def test_overrides_are_split_like_a_shell_does_and_never_evaluated(
    text: str, split: list[str]
) -> None:
    assert read("--overrides", text, "z=1") == [*split, "z=1"]


def test_overrides_without_a_value_are_none() -> None:
    assert read("--overrides") == []


@pytest.mark.parametrize(
    "flags",
    [
        ("-m",),
        ("--multirun",),
        ("--help",),
        ("--hydra-help",),
        ("--version",),
        ("--cfg", "job"),
        ("--cfg=job",),
        ("--info=plugins",),
        ("--resolve",),
        ("--package", "model"),
        ("--config-dir", "conf"),
        ("--config-name=other",),
        ("-cjob",),
        ("--shell-completion",),
    ],
    ids=" ".join,
)
def test_flags_of_hydra_are_untouched(flags: tuple[str, ...]) -> None:
    assert read("compare", *flags, "--folds.k", "3") == ["command=compare", *flags, "folds.k=3"]


@pytest.mark.parametrize("value", ["Price (USD)", "a[0]", "it's", "a\\b (c)", "50% (x=1)", "{x"])
def test_a_value_beyond_hydras_grammar_arrives_as_it_was_typed(value: str) -> None:
    (word,) = read("--dataset.target", value)
    assert OverridesParser.create().parse_override(word).value() == value


@pytest.mark.parametrize(
    "path", ["houses.csv", "data/", "my data/*.parquet", "A.CSV", "s3://b/f", "book.xlsx", "tests"]
)
def test_a_path_and_a_target_are_short_for_the_keys(path: str) -> None:
    words = ["dataset=files", f"dataset.path={path}", "dataset.target=price"]
    assert read("compare", path, "--target", "price") == ["command=compare", *words]
    assert read(path, "--target=price") == words
    assert read("folds.k=3", "--config-dir", "own/", path)[1:3] == ["--config-dir", "own/"]
    assert read("folds.k=3", path, "folds.seed=1")[1:3] == words[:2]
    assert read("s3://b/c=1/a.csv") == ["dataset=files", "dataset.path='s3://b/c=1/a.csv'"]


def test_a_pattern_that_the_shell_has_read_is_told() -> None:
    assert read("data/a.csv", "dataset.path=data/a.csv")[1] == "dataset.path=data/a.csv"
    with pytest.raises(ConfigurationError, match=r"or a pattern in quotes: 'data/\*\.csv'"):
        read("run", "data/a.csv", "data/b.csv", "data/c.csv")
    with pytest.raises(ConfigurationError, match=r"in quotes: 's3://b/\*\.csv'"):
        read("s3://b/x.csv", "s3://b/y.csv")
    for folder in (".", "/", "data/"):
        with pytest.raises(ConfigurationError, match="one path is read -> a folder"):
            read(folder, "a.csv")


def test_several_values_are_a_list_where_nothing_is_swept() -> None:
    assert read("dataset.exclude=a,b") == ["dataset.exclude=[a,b]"]
    assert read("compare", "engine=scan,sequential")[1] == "compare.engines=[scan,sequential]"
    assert read("sweep", "engine=scan,sequential")[1] == "engine=scan,sequential"
    assert read("dataset.path='a,b.csv'", "model.reg_param=[1,2]", "a={b:1,c:2}") == [
        *("dataset.path='a,b.csv'", "model.reg_param=[1,2]", "a={b:1,c:2}")
    ]
    with pytest.raises(ConfigurationError, match="engine: scan,sequential: a run has one engine"):
        read("run", "engine=scan,sequential")


@pytest.mark.parametrize("name", [" a b", "a ", "1.50", "2e1", "true", "007", "+3"])
def test_the_name_of_a_target_is_taken_as_typed(name: str) -> None:
    (word,) = read(f"dataset.target={name}")
    assert OverridesParser.create().parse_override(word).value() == name


@pytest.mark.parametrize("value", ["y", "2010", "'a b'", "null", "a,b"])
def test_other_names_of_a_target_are_left_as_they_are(value: str) -> None:
    (word,) = read("--multirun", f"dataset.target={value}")[1:]
    assert word == f"dataset.target={value}"

"""A config against its schema: places and words of every error, all errors at once."""

from __future__ import annotations

import pytest

from tests.config.checked import BASE, problem, problems


@pytest.mark.parametrize(
    ("lines", "line", "column", "message", "remedy"),
    [
        ("epochs: true", 3, 9, "epochs: expected an integer of at least 0, got true", None),
        ("epochs: 10.0", 3, 9, "epochs: expected an integer of at least 0, got 10.0", "write 10"),
        ("epochs: 1e3", 3, 9, "epochs: expected an integer of at least 0, got 1e3", "write 1000"),
        ("epochs: 1_0", 3, 9, "epochs: expected an integer of at least 0, got '1_0'", "write 10, without quotes"),
        ("epochs: '10'", 3, 9, "epochs: expected an integer of at least 0, got '10'", "write 10, without quotes"),
        ("epochs:", 3, 8, "epochs: expected an integer of at least 0, got nothing", "give a value or delete the line"),
        ("epochs: ~", 3, 9, "epochs: expected an integer of at least 0, got null", "give a value or delete the line"),
        ("epochs: -5", 3, 9, "epochs: expected an integer of at least 0, got -5", None),
        ("epochs: [1]", 3, 9, "epochs: expected an integer of at least 0, got a list", None),
        ("seed: -1", 3, 7, "seed: expected an integer of at least 0, got -1", None),
        ("batch_size: 0", 3, 13, "batch_size: expected an integer of at least 1 or 'full', got 0", None),
        ("batch_size: ful", 3, 13, "batch_size: expected an integer of at least 1 or 'full', got 'ful'", None),
        ("batch_size: false", 3, 13, "batch_size: expected an integer of at least 1 or 'full', got false", None),
        ("accumulate: 0", 3, 13, "accumulate: expected an integer of at least 1, got 0", None),
        ("threads: 0", 3, 10, "threads: expected an integer of at least 1 or null, got 0", None),
        ("shards: some", 3, 9, "shards: expected 'auto' or an integer of at least 1, got 'some'", None),
        ("stream: yes", 3, 9, "stream: expected 'auto' or true or false, got 'yes'", "write true"),
        ("tensorboard: off", 3, 14, "tensorboard: expected true or false, got 'off'", "write false"),
        ("class_weight: x", 3, 15, "class_weight: expected 'balanced', a mapping or null, got 'x'", None),
        ("class_weight: {a: -1}", 3, 19, "class_weight.a: expected a number of at least 0, got -1", None),
        ("regularization: {l1: .inf}", 3, 22, "regularization.l1: expected a number of at least 0, got .inf", None),
        ("regularization: {l2: 1e400}", 3, 22, "regularization.l2: expected a number of at least 0, got 1e400", None),
        ("gradient_clipping: {}", 3, 20, "gradient_clipping: expected either 'norm' or 'value', got neither", None),
        (
            "gradient_clipping: {norm: 1, value: 1}",
            3,
            20,
            "gradient_clipping: expected either 'norm' or 'value', got both",
            None,
        ),
        ("gradient_clipping: {norm: 0}", 3, 27, "gradient_clipping.norm: expected a number above 0 or null", None),
        ("early_stopping: 3", 3, 17, "early_stopping: expected a mapping or null, got 3", None),
        ("early_stopping:\n  patience: 1.5", 4, 13, "early_stopping.patience: expected an integer of at least 1", None),
        ("name: 2024", 3, 7, "name: expected text, got 2024", "write it in quotes: '2024'"),
        ("name: true", 3, 7, "name: expected text, got true", "write it in quotes: 'true'"),
        ("metrics: {name: top_k, k: x}", 3, 27, "metrics.k: expected an integer of at least 1, got 'x'", None),
        ("metrics: acuracy", 3, 10, "metrics: unknown metric 'acuracy'; did you mean 'accuracy'?", None),
        ("metrics: [mae, 3]", 3, 16, "metrics.1: expected a metric (a name, or a mapping with 'name'), got 3", None),
        ("loss: 3", 3, 7, "loss: expected a loss (a name, or a mapping with 'name') or null, got 3", None),
        ("optimizer: null", 3, 12, "optimizer: expected an optimizer (a name, or a mapping", None),
        ("optimizer: []", 3, 12, "optimizer: expected an optimizer (a name, or a mapping with 'name'), got an", None),
        ("optimizer: adm", 3, 12, "optimizer: unknown optimizer 'adm'; did you mean 'adam'? (known: ", None),
        ("optimizer: {name: adm}", 3, 19, "optimizer: unknown optimizer 'adm'; did you mean 'adam'? (known: ", None),
        ("optimizer: {name: 3}", 3, 19, "optimizer.name: expected the name of an optimizer, got 3", None),
        ("optimizer: {nme: adam}", 3, 12, "optimizer: the mapping needs 'name', which optimizer it is", None),
        ("optimizer: {sgd: }", 3, 12, "optimizer: the mapping needs 'name', got 'sgd' as a key", "write {name: sgd}"),
        (
            "optimizer: {name: adam, learning_rat: 0.1}",
            3,
            25,
            "optimizer.learning_rat: unknown key; did you mean 'learning_rate'? (adam takes: learning_rate, ",
            None,
        ),
        (
            "optimizer: {name: adam, lr: 0.1}",
            3,
            25,
            "optimizer.lr: unknown key; did you mean 'learning_rate'? (adam takes: learning_rate, ",
            None,
        ),
        (
            "optimizer: {name: adam, epochs: 3}",
            3,
            25,
            "optimizer.epochs: unknown key; 'epochs' belongs at the top level",
            None,
        ),
        (
            "optimizer: {name: adam, learning_rate: -1}",
            3,
            40,
            "optimizer.learning_rate: expected a number of at least 0 or a schedule (a name, or a mapping with 'name')",
            None,
        ),
        (
            "optimizer: {name: adam, learning_rate: .nan}",
            3,
            40,
            "optimizer.learning_rate: expected a number of at least 0 or a schedule (a name, or a mapping with 'name')",
            None,
        ),
        (
            "optimizer: {name: sgd, learning_rate: cosin}",
            3,
            39,
            "optimizer.learning_rate: unknown schedule 'cosin'; did you mean 'cosine'?",
            None,
        ),
        (
            "optimizer: {name: sgd, momentum: 1.5}",
            3,
            34,
            "optimizer.momentum: expected a number of at least 0 and",
            None,
        ),
        ("epocs: 10", 3, 1, "epocs: unknown key; did you mean 'epochs'? (known: name, seed, ", None),
        ("lr: 0.1", 3, 1, "lr: unknown key; 'lr' belongs under 'optimizer', as 'learning_rate'", None),
        ("learning_rate: 0.1", 3, 1, "learning_rate: unknown key; 'learning_rate' belongs under 'optimizer'", None),
        ("momentum: 0.9", 3, 1, "momentum: unknown key; 'momentum' belongs under 'optimizer' (of momentum, ", None),
        ("patience: 3", 3, 1, "patience: unknown key; 'patience' belongs under 'early_stopping'", None),
        ("target: y", 3, 1, "target: unknown key; 'target' belongs under 'data'", None),
        ("hidden: [3]", 3, 1, "hidden: unknown key; 'hidden' belongs under 'architecture'", None),
        (
            "drop_out: 0.1",
            3,
            1,
            "drop_out: unknown key; did you mean 'dropout' under 'architecture' (of cnn, fcn, ",
            None,
        ),
        # of a long list of keys one is always a little like what was typed
        ("drop_last: true", 3, 1, "drop_last: unknown key (known: name", None),
        ("verbose: 1", 3, 1, "verbose: unknown key (known: name", None),
        (
            "gradient_clipping: {clipvalue: 1}",
            3,
            21,
            "gradient_clipping.clipvalue: unknown key; did you mean 'value'?",
            None,
        ),
        ("tol: 1e-3", 3, 1, "tol: unknown key; 'tol' belongs under 'early_stopping', as 'min_delta'", None),
        (
            "kernel_size: 3",
            3,
            1,
            "kernel_size: unknown key; 'kernel_size' belongs under 'architecture', as 'kernel' (of cnn)",
            None,
        ),
        ("units: 3", 3, 1, "units: unknown key; 'units' belongs under 'architecture.layers'", None),
        ("n_epochs: 3", 3, 1, "n_epochs: unknown key; did you mean 'epochs'?", None),
        ("batchsize: 3", 3, 1, "batchsize: unknown key; did you mean 'batch_size'?", None),
        ("zzzzzzzz: 3", 3, 1, "zzzzzzzz: unknown key (known: name, ", None),
        ('"\\e[2J": 3', 3, 1, "\\x1b[2J: unknown key", None),
        (
            "early_stopping: {patience:3}",
            3,
            18,
            "early_stopping.patience:3: unknown key; 'patience:3' is a key without a value",
            "put a space after ':'",
        ),
    ],
)
def test_each_error_at_its_place(lines: str, line: int, column: int, message: str, remedy: str | None) -> None:
    found = problem(BASE + lines + "\n")
    assert found.message.startswith(message)
    assert (found.path, found.line, found.column) == ("c.yaml", line, column)
    if remedy is not None:
        assert found.help == remedy


@pytest.mark.parametrize(
    ("data", "column", "message"),
    [
        ("train: a, target: 3", 26, "data.target: expected the name of a column (text) or a list of them, got 3"),
        ("train: a, target: [y, 3]", 30, "data.target.1: expected the name of a column (text), got 3"),
        ("train: [], target: y", 15, "data.train: expected a file (text) or a list of files, got an empty list"),
        ("train: a, target: y, validation: 1", 41, "data.validation: expected a share of at least 0 and below 1"),
        ("train: a, target: y, validation: -0.1", 41, "data.validation: expected a share of at least 0 and below"),
        ("train: a, target: y, validation: null", 41, "data.validation: expected a share of at least 0 and below"),
        ("train: a, target: y, validation: true", 41, "data.validation: expected a share of at least 0 and below"),
        ("train: a, target: y, task: clasification", 35, "data.task: expected 'auto', 'classification', "),
        ("train: a, target: y, ignore: [y]", 38, "data.ignore.0: 'y' is the target"),
        ("train: a, target: y, delimiter: ';;'", 40, "data.delimiter: expected one character, got ';;'"),
        ("train: a, target: y, encoding: utf-9", 39, "data.encoding: expected the name of an encoding, got 'utf-9'"),
        ("train: a, target: y, split: head", 36, "data.split: expected 'auto', 'random', 'stratified', 'tail', or"),
        ("train: a, target: y, folds: 1", 36, "data.folds: expected an integer of at least 2 or null, got 1"),
        ("train: a, target: y, folds: 3, validation: 0.1", 36, "data.folds: excludes data.validation, and both are"),
        ("train: a, target: y, missing_values: [-1]", 46, "data.missing_values.0: expected text, got -1"),
        ("train: a, target: y, columns: {a: {typ: text}}", 43, "data.columns.a.typ: unknown key; did you mean 'type'?"),
        ("train: a, target: y, image: {height: 2}", 29, "data.image.width: required key is missing (data.image takes"),
        (
            "train: a, target: y, columns: {a: {type: text, scale: none}}",
            62,
            "data.columns.a.scale: means nothing for a column of type text",
        ),
        (
            "train: a, target: y, columns: {a: {type: text, missing: mean}}",
            64,
            "data.columns.a.missing: expected 'auto' (an empty text), 'error' or 'drop' for a column of type text",
        ),
        ("train: a, target: y, text: {tokens: words}", 44, "data.text.tokens: expected 'word' or 'character', got"),
        ("train: a, target: y, text: {lenght: 3}", 36, "data.text.lenght: unknown key; did you mean 'length'?"),
        (
            "train: a, target: y, text: {}, series: {window: 2}",
            35,
            "data.text: expected one form of an example, got series and text",
        ),
        ("train: a, target: y, sequence: {}", 39, "data.sequence: expected either 'group' or 'steps', got neither"),
        (
            "train: a, target: y, sequence: {group: g, channels: 2}",
            60,
            "data.sequence.channels: goes with 'steps', which is not given",
        ),
        (
            "train: a, target: y, image: {height: 1, width: 1}, series: {window: 2}",
            67,
            "data.series: expected one form of an example, got image and series",
        ),
        ("train: a, target: y, batch_size: 3", 29, "data.batch_size: unknown key; 'batch_size' belongs at the top"),
        ("train: a", 1, "data.target: required key is missing (data takes: train, "),
        ("train: a, label: y, target: y", 18, "data.label: unknown key; did you mean 'target'?"),
    ],
)
def test_errors_of_the_data_section(data: str, column: int, message: str) -> None:
    found = problem(f"data: {{{data}}}\narchitecture: mlp\n")
    assert found.message.startswith(message)
    assert (found.line, found.column) == (1, column)


@pytest.mark.parametrize(
    ("layers", "column", "message"),
    [
        ("[]", 11, "architecture.layers: expected a list of layers (at least 1 item), got an empty list"),
        ("[rleu]", 12, "architecture.layers.0: unknown layer 'rleu'; did you mean 'relu'? (known: "),
        ("[dense]", 12, "architecture.layers.0.units: required key is missing (dense takes: units, "),
        ("[{name: dense, units: 0}]", 33, "architecture.layers.0.units: expected an integer of at least 1, got 0"),
        ("[{dense: {units: 3}}]", 12, "architecture.layers.0: the mapping needs 'name', got 'dense' as a key"),
        ("[{residual: [rleu]}]", 24, "architecture.layers.0.residual.0: unknown layer 'rleu'"),
        (
            "[{branch: [[relu], [{name: dense, units: x}]]}]",
            52,
            "architecture.layers.0.branch.1.0.units: expected an integer",
        ),
        ("[{repeat: 0, layers: [relu]}]", 21, "architecture.layers.0.repeat: expected an integer of at least 1, got 0"),
        ("[{repeat: 2, layers: [relu], x: 1}]", 40, "architecture.layers.0.x: unknown key (repeat takes: "),
        ("[{repeat: 2}]", 12, "architecture.layers.0.layers: required key is missing"),
        (
            "[{residual: [{residual: [{repeat: 2, layers: [{name: relu, x: 1}]}]}]}]",
            70,
            "architecture.layers.0.residual.0.residual.0.layers.0.x: unknown key (relu takes no keys)",
        ),
    ],
)
def test_errors_within_blocks_of_layers_keep_their_place(layers: str, column: int, message: str) -> None:
    found = problem(f"data: {{train: a.csv, target: y}}\narchitecture:\n  layers: {layers}\n")
    assert found.message.startswith(message)
    assert (found.line, found.column) == (3, column)


def test_all_errors_at_once_in_the_order_of_the_file() -> None:
    found = problems("""\
data: {train: a.csv, targt: y}
architecture: {name: mlp, hidden: [0, x]}
optimizer: {name: adam, learning_rat: 1}
epocs: 3
batch_size: 0
seed: 1
seed: 2
""")
    assert [problem.line for problem in found] == [1, 1, 2, 2, 3, 4, 5, 7]
    assert all(problem.column is not None for problem in found)


def test_the_keys_of_a_level_are_listed_once() -> None:
    first, second = problems(BASE + "xxxxx: 1\nyyyyy: 2\n")
    assert "known: name, seed" in first.message
    assert second.message == "yyyyy: unknown key"


def test_hundreds_of_errors_are_cut() -> None:
    found = problems(BASE + "".join(f"zzzz{i}: 1\n" for i in range(500)))
    assert len(found) == 30
    assert found[-1].notes == ("470 more problems like these",)


def test_missing_required_keys() -> None:
    assert [found.message for found in problems("epochs: 3\n")] == [
        "data: required key is missing (data needs: train, target)",
        "architecture: required key is missing",
    ]


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_file_names_what_is_required(text: str) -> None:
    assert problem(text).message == "the file is empty; a config needs data.train, data.target and architecture"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1\n", "expected a mapping of keys to values, got a list"),
        ("3\n", "expected a mapping of keys to values, got the text '3'"),
        ("# c\nepochs:10\nbatch_size:32\n", "expected a mapping of keys to values, got the text 'epochs:10 batch_size"),
    ],
)
def test_what_is_no_mapping(text: str, message: str) -> None:
    assert problem(text).message.startswith(message)


def test_the_space_after_the_colon() -> None:
    found = problem("# c\nepochs:10\nbatch_size:32\n")
    assert (found.line, found.help) == (2, "'epochs:10' is text; put a space after ':'")


def test_a_refused_value_hides_no_other_error() -> None:
    found = problems(BASE + "epochs: !x 3\nbatch_size: 0\nmodel: !x 3\n")
    assert [problem.line for problem in found] == [3, 4, 5, 5]
    assert "tag '!x'" in found[0].message

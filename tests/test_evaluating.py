"""``eval`` and ``predict``: columns by name, any row order, unknown classes, original units, nothing overwritten."""

from __future__ import annotations

import csv
import hashlib
import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nntrain.cli.entry import run
from nntrain.errors import DataError, RunError
from nntrain.evaluating import evaluate_csv, load_trained, predict_csv
from nntrain.runs import checkpoint
from nntrain.runs.catalog import resolve
from nntrain.runs.run import Run

ROOT = Path(__file__).parent.parent
IRIS = (ROOT / "datasets" / "iris.csv").read_text(encoding="utf-8").splitlines()
CONFIG = "data: {{train: {train}, target: {target}}}\narchitecture: {{name: mlp, hidden: [8]}}\nepochs: {epochs}\n"


def train(folder: Path, lines: list[str], target: str, epochs: int = 30, more: str = "") -> Run:
    """Train on a table and return the run."""
    (folder / "train.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    text = CONFIG.format(train="train.csv", target=target, epochs=epochs) + more
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    assert run(["fit", str(folder / "config.yaml"), "--quiet", "--run-dir", str(folder / "run")]) == 0
    return resolve(str(folder / "run"), str(folder))


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(tmp_path_factory.mktemp("iris"), IRIS, "species")


def write(folder: Path, lines: list[str], name: str = "held_out.csv") -> str:
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(folder / name)


def judged(found: Run, path: str, unknown: str = "error") -> dict[str, object]:
    """Return the document of an evaluation without what names the file."""
    document = evaluate_csv(found, path, "best", unknown).document  # type: ignore[arg-type]
    return {key: value for key, value in document.items() if key not in ("csv", "sha256")}


def with_columns(lines: list[str], order: list[int]) -> list[str]:
    return [",".join(line.split(",")[i] for i in order) for line in lines]


def test_row_order_and_column_order_change_no_bit(iris: Run, tmp_path: Path) -> None:
    rows = IRIS[1:]
    random.Random(1).shuffle(rows)
    plain = judged(iris, write(tmp_path, IRIS, "plain.csv"))
    turned = judged(iris, write(tmp_path, with_columns([IRIS[0], *rows], [4, 2, 0, 3, 1]), "turned.csv"))
    assert json.dumps(plain) == json.dumps(turned)


def test_the_batch_size_of_the_config_changes_no_bit(tmp_path: Path) -> None:
    documents = []
    for size in (1, 16, 150):
        folder = tmp_path / str(size)
        folder.mkdir()
        found = train(folder, IRIS, "species", epochs=0, more=f"batch_size: {size}\n")
        documents.append(judged(found, write(folder, IRIS)))
    assert documents[0] == documents[1] == documents[2]


def test_metrics_equal_a_count_by_hand(iris: Run, tmp_path: Path) -> None:
    evaluation = evaluate_csv(iris, write(tmp_path, IRIS), "best", "error")
    predicted, truth = evaluation.predictions["predicted_species"], evaluation.predictions["true_species"]
    right = sum(a == b for a, b in zip(predicted, truth, strict=True))
    assert evaluation.document["metrics"]["accuracy"] == pytest.approx(right / 150)
    labels = evaluation.document["confusion"]["labels"]
    for i, row in enumerate(evaluation.document["confusion"]["matrix"]):
        for j, count in enumerate(row):
            assert count == sum(t == labels[i] and p == labels[j] for t, p in zip(truth, predicted, strict=True))
    chances = np.array([evaluation.predictions[f"probability_{label}"] for label in labels])
    np.testing.assert_allclose(chances.sum(axis=0), 1.0, atol=1e-6)
    expected = -np.log(chances[[labels.index(t) for t in truth], range(150)]).mean()
    assert evaluation.document["loss"] == pytest.approx(expected, rel=1e-5)


def test_an_extra_column_is_told_and_ignored(iris: Run, tmp_path: Path) -> None:
    extra = write(tmp_path, [f"{line},{'more' if i == 0 else i}" for i, line in enumerate(IRIS)])
    evaluation = evaluate_csv(iris, extra, "best", "error")
    assert any("'more'" in notice for notice in evaluation.notices)
    assert judged(iris, extra) == judged(iris, write(tmp_path, IRIS, "plain.csv"))


def test_a_missing_or_misspelt_feature_is_refused(iris: Run, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="petal_length"):
        evaluate_csv(iris, write(tmp_path, with_columns(IRIS, [0, 1, 3, 4])), "best", "error")
    upper = [IRIS[0].replace("petal_length", "Petal_Length"), *IRIS[1:]]
    with pytest.raises(DataError, match="did you mean 'Petal_Length'"):
        predict_csv(iris, write(tmp_path, upper), "best")


def test_eval_needs_the_target_and_predict_does_not(iris: Run, tmp_path: Path) -> None:
    bare = write(tmp_path, with_columns(IRIS, [0, 1, 2, 3]), "bare.csv")
    with pytest.raises(DataError, match="species"):
        evaluate_csv(iris, bare, "best", "error")
    predicted, _ = predict_csv(iris, bare, "best")
    full = evaluate_csv(iris, write(tmp_path, IRIS), "best", "error").predictions
    assert predicted == {name: values for name, values in full.items() if name != "true_species"}


def test_text_in_a_numeric_column_names_its_place(iris: Run, tmp_path: Path) -> None:
    lines = [*IRIS[:3], "5 cm" + IRIS[3][3:], *IRIS[4:]]
    with pytest.raises(DataError, match=r"held_out.csv:4: column 'sepal_length': .*'5 cm'"):
        evaluate_csv(iris, write(tmp_path, lines), "best", "error")


@pytest.fixture(scope="module")
def two_classes(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(tmp_path_factory.mktemp("two"), [line for line in IRIS if "virginica" not in line], "species")


def test_an_unknown_class_is_refused_with_its_lines_and_count(two_classes: Run, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"held_out.csv:102: .*'virginica'") as caught:
        evaluate_csv(two_classes, write(tmp_path, IRIS), "best", "error")
    assert "50" in caught.value.render()
    assert "--unknown-class" in caught.value.render()


def test_unknown_classes_count_as_errors_or_not_at_all(two_classes: Run, tmp_path: Path) -> None:
    path = write(tmp_path, IRIS)
    known = judged(two_classes, write(tmp_path, [line for line in IRIS if "virginica" not in line], "known.csv"))
    wrong, skipped = judged(two_classes, path, "wrong"), judged(two_classes, path, "skip")
    assert (wrong["rows"], wrong["unknown_rows"], skipped["unknown_rows"]) == (150, 50, 50)
    assert skipped["metrics"] == known["metrics"]
    assert skipped["loss"] == wrong["loss"] == known["loss"]
    right = known["metrics"]["accuracy"] * 100  # type: ignore[index]
    assert wrong["metrics"]["accuracy"] == pytest.approx(right / 150)  # type: ignore[index]
    assert sum(wrong["confusion"]["unknown"]) == 50  # type: ignore[index]
    assert "unknown" not in skipped["confusion"]  # type: ignore[operator]


def test_a_class_that_is_absent_keeps_its_place(iris: Run, tmp_path: Path) -> None:
    document = judged(iris, write(tmp_path, [line for line in IRIS if "setosa" not in line]))
    assert document["confusion"]["labels"] == ["setosa", "versicolor", "virginica"]  # type: ignore[index]
    assert sum(document["confusion"]["matrix"][0]) == 0  # type: ignore[index]


def test_regression_speaks_in_units_of_the_table(tmp_path: Path) -> None:
    source = random.Random(0)
    rows = [(x := source.uniform(-1, 1), 1e6 + 1e5 * x) for _ in range(200)]
    lines = ["x,price", *(f"{x:.6f},{y:.3f}" for x, y in rows)]
    found = train(tmp_path, lines, "price", epochs=200, more="optimizer: {name: adam, learning_rate: 0.02}\n")
    evaluation = evaluate_csv(found, write(tmp_path, lines), "best", "error")
    predicted = np.array(evaluation.predictions["predicted_price"])
    truth = np.array([y for _, y in rows])
    error = float(np.sqrt(np.mean((predicted - truth) ** 2)))
    assert error < 1e4
    assert evaluation.document["metrics"]["rmse"] == pytest.approx(error, rel=1e-3)
    assert evaluation.document["target_is_scaled"] is True
    assert evaluation.document["loss"] < 1


def test_an_unseen_category_has_its_own_bucket_and_a_count(tmp_path: Path) -> None:
    lines = ["colour,x,y", *(f"{['red', 'green'][i % 2]},{i % 7}.5,{'ab'[i % 2]}" for i in range(60))]
    found = train(tmp_path, lines, "y")
    evaluation = evaluate_csv(found, write(tmp_path, [*lines, "blue,1.5,a", "blue,2.5,b"]), "best", "error")
    (notice,) = [notice for notice in evaluation.notices if "'colour'" in notice]
    assert "2" in notice
    assert "'blue'" in notice


def test_eval_changes_no_checkpoint(iris: Run, tmp_path: Path) -> None:
    def digests() -> list[str]:
        files = sorted((iris.path / "checkpoints").iterdir())
        return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]

    before, path = digests(), write(tmp_path, IRIS)
    outputs = []
    for name in ("a", "b"):
        assert run(["eval", str(iris.path), path, "--output", str(tmp_path / name)]) == 0
        outputs.append([(tmp_path / name / file).read_bytes() for file in ("metrics.json", "predictions.csv")])
    assert outputs[0] == outputs[1]
    assert digests() == before


@pytest.mark.parametrize("damage", ["empty", "cut", "bit", "text", "missing"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, damage: str) -> None:
    found = train(tmp_path, IRIS, "species", epochs=1)
    path = found.checkpoints.path("best")
    content = bytearray(path.read_bytes())
    path.unlink()
    if damage != "missing":
        content[len(content) // 2] ^= damage == "bit"
        changed = {"empty": b"", "cut": content[:-1], "bit": content, "text": b"not a checkpoint"}[damage]
        path.write_bytes(changed)
    else:
        found.checkpoints.path("last").unlink()
    with pytest.raises(RunError, match="best"):
        load_trained(found, "best")
    assert run(["eval", str(found.path), write(tmp_path, IRIS)]) == 4


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ((), None),
        (("format",), 99),
        (("architecture",), {"name": "os.system"}),
        (("architecture",), {"name": "../plugin.py"}),
        (("architecture",), {"name": "mlp", "hidden": [10**12]}),
        (("architecture",), {"name": "sequential", "layers": [{"name": "repeat", "times": 10**9, "layers": ["relu"]}]}),
        (("loss",), {"name": "__import__"}),
        (("metrics",), {"x": "x"}),
        (("preprocessing", "form", "form"), "os"),
        (("preprocessing", "read", "encoding"), {}),
        (("preprocessing", "read", "delimiter"), [";"]),
        (("preprocessing", "target"), None),
    ],
)
def test_a_forged_model_is_refused(tmp_path: Path, iris: Run, key: tuple[str, ...], value: object) -> None:
    """The file is sound, and its checksum right: only what the model is made of is not ours."""
    shutil.copytree(iris.path, tmp_path / "run")
    arrays, state = iris.checkpoints.load("best")
    *path, last = ("model", *key)
    holder: dict[str, Any] = state
    for part in path:
        holder = holder[part]
    holder[last] = value
    forged = Run.open(tmp_path / "run")
    checkpoint.save(forged.checkpoints.path("best"), arrays, state)
    with pytest.raises(RunError) as caught:
        predict_csv(forged, write(tmp_path, IRIS), "best")
    assert caught.value.exit_code == 4
    assert caught.value.problems[0].path == str(forged.checkpoints.path("best"))


def test_the_last_checkpoint_can_be_asked_for(iris: Run, tmp_path: Path) -> None:
    assert evaluate_csv(iris, write(tmp_path, IRIS), "last", "error").document["epoch"] == 30


def test_without_a_best_epoch_the_last_one_is_judged_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["x,y", *(f"{i % 7}.5,2.5" for i in range(40))]  # R2 of one and the same target is undefined
    found = train(tmp_path, lines, "y", 3, "metrics: [r2]\ncheckpoint: {monitor: val_r2}\n")
    told = capsys.readouterr().out
    assert "no best epoch: val_r2 was undefined in all of them; the last:\n" in told
    assert "  val_r2: undefined, target 'y' is the same in all rows\n" in told
    assert (found.info["best_epoch"], found.info["monitor"]) == (None, "val_r2")
    document = evaluate_csv(found, write(tmp_path, lines), "best", "error").document
    assert (document["checkpoint"], document["epoch"]) == ("last", 3)
    assert run(["eval", str(found.path), write(tmp_path, lines)]) == 0
    assert [folder.name.rpartition("-")[2] for folder in (found.path / "eval").iterdir()] == ["last"]


def test_labels_come_back_verbatim(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = ['say "a,b"', "two\nlines", "<b>größe 🦊</b>"]
    quoted = ['"' + label.replace('"', '""') + '"' for label in labels]
    lines = ["x,y", *(f"{i % 3}.{i % 5},{quoted[i % 3]}" for i in range(90))]
    found = train(tmp_path, lines, "y", epochs=60)
    capsys.readouterr()
    assert run(["predict", str(found.path), write(tmp_path, lines)]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines(keepends=True)))
    assert len(rows) == 90
    assert {row["predicted_y"] for row in rows} == set(labels)
    assert set(rows[0]) == {"row", "predicted_y", *(f"probability_{label}" for label in labels)}


def test_predict_tells_of_extra_columns_too(iris: Run, tmp_path: Path) -> None:
    extra = write(tmp_path, [f"{line},{'more' if i == 0 else i}" for i, line in enumerate(IRIS)])
    _, notices = predict_csv(iris, extra, "best")
    assert notices == ["columns that are not used: 'more'"]


def test_a_score_on_the_training_file_is_called_what_it_is(iris: Run, tmp_path: Path) -> None:
    said = "warning: the run was trained on this very file: the scores say little of new rows"
    assert said in evaluate_csv(iris, write(tmp_path, IRIS), "best", "error").notices
    assert said not in evaluate_csv(iris, write(tmp_path, IRIS[:-1]), "best", "error").notices


def test_a_file_that_chose_the_best_epoch_is_told_and_a_test_file_is_not(tmp_path: Path) -> None:
    parts = {"val.csv": [IRIS[0], *IRIS[1::3]], "test.csv": [IRIS[0], *IRIS[2::3]]}
    for name, lines in parts.items():
        write(tmp_path, lines, name)
    files = "data.validation=val.csv", "data.test=test.csv"
    (tmp_path / "train.csv").write_text("\n".join([IRIS[0], *IRIS[3::3]]) + "\n", encoding="utf-8")
    text = CONFIG.format(train="train.csv", target="species", epochs=2)
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    sets = [word for file in files for word in ("--set", file)]
    assert run(["fit", str(tmp_path / "config.yaml"), "-q", "--run-dir", str(tmp_path / "run"), *sets]) == 0
    found = resolve(str(tmp_path / "run"), str(tmp_path))
    warned = {
        name: any("chose its best epoch by" in notice for notice in _notices(found, tmp_path / name)) for name in parts
    }
    assert warned == {"val.csv": True, "test.csv": False}


def _notices(found: Run, path: Path) -> list[str]:
    return evaluate_csv(found, str(path), "best", "error").notices

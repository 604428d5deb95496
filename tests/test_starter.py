"""``nntrain new``: the config it writes trains as it is, whatever the table and its names are like."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from nntrain.cli.entry import run
from nntrain.config import load_config
from nntrain.errors import DataError
from nntrain.starter import write_starter

ROOT = Path(__file__).parent.parent
TABLES = [
    ("breast_cancer", "diagnosis"),
    ("california_housing", "MedHouseVal"),
    ("digits", "label"),
    ("iris", "species"),
    ("penguins", "species"),
    ("wine", "cultivar"),
    ("xor", "y"),
]
NAMES = [
    "a: b",
    'say "hi"',
    "größe",
    "two words",
    "# no comment",
    "[x]",
    "{y}",
    "a\\b",
    "yes",
    "1e3",
    "'q'",
    "x\ny",
    "🦊",
    "-",
    "&a",
]


def table(header: list[str], rows: int = 40) -> str:
    """Return a CSV of numbers with a two-class column at the end."""
    source = random.Random(0)
    quoted = ",".join('"' + name.replace('"', '""') + '"' for name in header)
    lines = [
        ",".join([*(f"{source.gauss(0, 1):.4f}" for _ in header[1:]), source.choice(["no", "yes"])])
        for _ in range(rows)
    ]
    return "\n".join([quoted, *lines]) + "\n"


def fits(config: Path, runs: Path) -> bool:
    return run(["fit", str(config), "--set", "epochs=1", "--quiet", "--runs-dir", str(runs)]) == 0


@pytest.mark.parametrize(("name", "target"), TABLES)
def test_the_config_of_a_table_trains_unchanged(tmp_path: Path, name: str, target: str) -> None:
    csv, config = ROOT / "datasets" / f"{name}.csv", tmp_path / "deep" / "down" / "config.yaml"
    config.parent.mkdir(parents=True)
    assert run(["new", str(csv), "--target", target, "-o", str(config)]) == 0
    assert fits(config, tmp_path / "runs")


@pytest.mark.parametrize("target", NAMES)
def test_any_column_name_can_be_the_target(tmp_path: Path, target: str) -> None:
    (tmp_path / "data.csv").write_text(table(["x1", "x2", target]), encoding="utf-8")
    config = tmp_path / "config.yaml"
    assert run(["new", str(tmp_path / "data.csv"), "--target", target, "-o", str(config)]) == 0
    assert load_config(str(config)).data.target == [target]
    assert fits(config, tmp_path / "runs")


@pytest.mark.parametrize(
    "name", ["with blank.csv", "größe 🦊.csv", "it's.csv", "a: b.csv", "-x.csv", "x\ny.csv", "d[1].csv", "*.csv"]
)
def test_any_file_name_can_be_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / name).write_text(table(["x1", "y"]), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert run(["new", f"a folder/{name}", "--target", "y", "-o", "config.yaml"]) == 0
    assert fits(Path("config.yaml"), tmp_path / "runs")


def test_a_line_break_in_a_name_does_not_end_the_comment(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(table(["x1", "y\nepochs: 7\n#"]), encoding="utf-8")
    starter = write_starter(str(tmp_path / "data.csv"), "y\nepochs: 7\n#", tmp_path)
    assert "\nepochs: 7" not in starter.text


def test_free_text_is_read_word_by_word_and_identifiers_are_left_out(tmp_path: Path) -> None:
    lines = [f'"some words: {i}",{i % 7}.5,id{i},{"ab"[i % 2]}' for i in range(60)]
    (tmp_path / "data.csv").write_text("\n".join(['"a ""note""",x,key,y', *lines]) + "\n", encoding="utf-8")
    starter = write_starter(str(tmp_path / "data.csv"), "y", tmp_path)
    assert (starter.ignored, starter.texts) == (["key"], ['a "note"'])
    (tmp_path / "config.yaml").write_text(starter.text, encoding="utf-8")
    data = load_config(str(tmp_path / "config.yaml")).data
    assert data.ignore == ["key"]
    assert {name: own.type for name, own in data.columns.items()} == {'a "note"': "text"}
    assert fits(tmp_path / "config.yaml", tmp_path / "runs")


def test_a_table_of_text_alone_is_learnt_from(tmp_path: Path) -> None:
    lines = [f"some words {i},{'ab'[i % 2]}" for i in range(60)]
    (tmp_path / "sms.csv").write_text("\n".join(["text,y", *lines]) + "\n", encoding="utf-8")
    assert run(["new", str(tmp_path / "sms.csv"), "--target", "y", "-o", str(tmp_path / "sms.yaml")]) == 0
    assert fits(tmp_path / "sms.yaml", tmp_path / "runs")


def test_a_table_of_identifiers_alone_is_refused_with_the_reason(tmp_path: Path) -> None:
    lines = [f"id{i},{'ab'[i % 2]}" for i in range(60)]
    (tmp_path / "ids.csv").write_text("\n".join(["key,y", *lines]) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="no column is left to learn from but names or identifiers: 'key'"):
        write_starter(str(tmp_path / "ids.csv"), "y", tmp_path)


def test_classes_of_different_sizes_hint_at_class_weight(tmp_path: Path) -> None:
    for share, expected in ((2, False), (10, True)):
        rows = [f"{i % 13}.5,{'rare' if i % share == 0 else 'common'}" for i in range(100)]
        (tmp_path / "data.csv").write_text("\n".join(["x,y", *rows]) + "\n", encoding="utf-8")
        text = write_starter(str(tmp_path / "data.csv"), "y", tmp_path).text
        assert ("class_weight: balanced" in text) is expected


def test_a_small_table_has_no_validation_and_no_early_stopping(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(table(["x", "y"], rows=12), encoding="utf-8")
    config = tmp_path / "config.yaml"
    config.write_text(write_starter(str(tmp_path / "data.csv"), "y", tmp_path).text, encoding="utf-8")
    text = config.read_text(encoding="utf-8")
    assert "early_stopping" not in text
    assert "\nbatch_size: 12 " in text  # 16 would be more than there are, of which fit warns
    assert fits(config, tmp_path / "runs")


def test_an_existing_file_is_kept_unless_forced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "iris.yaml"
    config.write_text("mine", encoding="utf-8")
    arguments = ["new", str(ROOT / "datasets" / "iris.csv"), "--target", "species", "-o", str(config)]
    assert run(arguments) == 2
    assert "the file exists" in capsys.readouterr().err
    assert config.read_text(encoding="utf-8") == "mine"
    assert run([*arguments, "--force"]) == 0
    assert "species" in config.read_text(encoding="utf-8")

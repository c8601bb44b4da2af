import csv

from tfxai3d.storage import markdown_table, write_csv


def test_csv(tmp_path):
    records = [{"name": 'a, "b"', "value": 1.5}, {"name": "ü", "value": 2}]
    write_csv(tmp_path / "a.csv", records)
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert read == [{name: str(value) for name, value in record.items()} for record in records]


def test_markdown():
    text = markdown_table(["model", "left"], [("`a`", 3), ("b", "4 %")])
    assert text.splitlines() == ["| model | left |", "|---|---|", "| `a` | 3 |", "| b | 4 % |"]
    assert markdown_table(["a"], []).splitlines() == ["| a |", "|---|"]

import csv

from tfxai3d.storage import markdown_table, write_csv


def test_csv(tmp_path):
    records = [{"name": 'a, "b"', "value": 1.5}, {"name": "ü", "value": 2}]
    write_csv(tmp_path / "a.csv", records)
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert read == [{name: str(value) for name, value in record.items()} for record in records]


def test_no_cell_is_a_formula(tmp_path):
    names = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "-3.5", "+1e-5", "-inf", "a=b", "-"]
    write_csv(tmp_path / "a.csv", [{"=name": name, "value": -1.5} for name in names])
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert head == ["'=name", "value"]
    unchanged = {"-3.5", "+1e-5", "-inf", "a=b"}
    assert [row[0] for row in rows] == [name if name in unchanged else f"'{name}" for name in names]
    assert {row[1] for row in rows} == {"-1.5"}


def test_markdown():
    text = markdown_table(["model", "left"], [("`a`", 3), ("b", "4 %")])
    assert text.splitlines() == ["| model | left |", "|---|---|", "| `a` | 3 |", "| b | 4 % |"]
    assert markdown_table(["a"], []).splitlines() == ["| a |", "|---|"]


def test_words_with_a_sign_come_back_as_they_are(tmp_path):
    write_csv(tmp_path / "a.csv", [{"mode": "+average"}, {"mode": "-midrange"}, {"mode": "+a(1)"}])
    assert (tmp_path / "a.csv").read_text().split() == ["mode", "+average", "-midrange", "'+a(1)"]

"""Tables in three formats: the same cells, each escaped in its own way."""

from pathlib import Path

import numpy as np
import pandas as pd

from igbaselines.reporting.tables import readable, write_table

FRAME = pd.DataFrame(
    {
        "feature": ["pT_l", "a_b|c"],
        "value_%": [0.123456789, float("nan")],
        "n": pd.array([5, None], dtype="Int64"),
    }
)


def test_csv_keeps_every_digit(tmp_path: Path) -> None:
    write_table(FRAME, tmp_path, "t")
    back = pd.read_csv(tmp_path / "tables" / "t.csv")
    assert back["value_%"][0] == 0.123456789
    assert list(back["feature"]) == ["pT_l", "a_b|c"]


def test_markdown_has_a_cell_for_each_value(tmp_path: Path) -> None:
    write_table(FRAME, tmp_path, "t")
    lines = (tmp_path / "tables" / "t.md").read_text().splitlines()
    assert lines[0] == "| feature | value_% | n |"
    assert lines[2:] == ["| pT_l | 0.1235 | 5 |", r"| a_b\|c |  |  |"]


def test_latex_is_booktabs_and_escaped(tmp_path: Path) -> None:
    write_table(FRAME, tmp_path, "t")
    text = (tmp_path / "tables" / "t.tex").read_text()
    assert r"\toprule" in text
    assert r"feature & value\_\% & n \\" in text
    assert r"$p_T^{\ell}$ & 0.1235 & 5 \\" in text
    assert r"a\_b|c &  &  \\" in text


def test_latex_is_that_of_pandas(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a_b": ["x", "50 % & more"], "n": [1, 2], "share": [0.123456, np.nan], "sure": [True, False]})
    write_table(frame, tmp_path, "t")
    printed = pd.DataFrame({r"a\_b": ["x", r"50 \% \& more"], "n": ["1", "2"], "share": ["0.1235", ""]})
    printed["sure"] = ["True", "False"]
    assert (tmp_path / "tables" / "t.tex").read_text() == printed.to_latex(index=False, escape=False)


def test_readable_numbers() -> None:
    assert [readable(value) for value in (1234567.0, 0.00001234, 3, None, "x")] == [
        "1.235e+06",
        "1.234e-05",
        "3",
        "",
        "x",
    ]

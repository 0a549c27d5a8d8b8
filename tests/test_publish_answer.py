"""The answer in the README and in docs/ is what a run made, word by word."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import yaml

from tests.commands import ROOT


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("publish_answer", ROOT / "scripts" / "publish_answer.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def small_run(folder: Path, script: ModuleType, seconds: float) -> Path:
    """A run's folder with as much as is published of it."""
    for part in ("tables", "figures"):
        (folder / part).mkdir(parents=True)
    for name in script.TABLES:
        pd.DataFrame(
            {"domain": ["tables"], "answer": ["IG has it. By 1 of 2 metrics a map is better: x. By question: all."]}
        ).to_csv(folder / "tables" / f"{name}.csv", index=False)
    (folder / "figures" / "figure_answer.png").write_bytes(b"png")
    values = {"metric": ["cosine", "seconds"], "method": "ig", "unit": "a", "seed": 0, "value": [1 / 3, seconds]}
    pd.DataFrame(values).to_parquet(folder / "rows.parquet")
    config = {"scale": "paper", "seed": 0, "evaluation": {"domains": {"tables": {}}}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "status.json").write_text(json.dumps({"code": "abc"}))
    return folder


def test_what_a_run_made_is_put_in_its_places(tmp_path: Path, script: ModuleType) -> None:
    (tmp_path / "README.md").write_text("before\n<!-- answer -->\nold \\1\n<!-- /answer -->\nafter\n")
    (tmp_path / "docs" / "results" / "comparison").mkdir(parents=True)
    (tmp_path / "docs" / "results" / "comparison" / "stale.png").touch()
    folder = script.publish(small_run(tmp_path / "run", script, 0.1), tmp_path)
    assert {path.name for path in folder.iterdir()} == {
        *("README.md", "figure_answer.png"),
        *(f"{name}.csv" for name in script.TABLES),
    }
    page, readme = (folder / "README.md").read_text(), (tmp_path / "README.md").read_text()
    assert "- **tables**: IG has it. By 1 of 2 metrics a map is better: x. By question: all." in page
    assert "    python run.py experiment=comparison scale=paper tasks=[tables] seed=0\n" in page
    assert readme.startswith("before\n<!-- answer -->\n- **tables**: IG has it. By question: all.\n- **")
    assert readme.endswith("<!-- /answer -->\nafter\n")
    assert "old" not in readme
    again = script.publish(small_run(tmp_path / "again", script, 99.0), tmp_path) / "README.md"
    of_rows = [text.split("rounded to six digits, ")[1][:64] for text in (page, again.read_text())]
    assert of_rows[0] == of_rows[1]  # seconds do not count


def test_the_readme_says_what_the_run_says(script: ModuleType) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = script.PLACE.findall(readme)
    words = pd.read_csv(ROOT / "docs" / "results" / "comparison" / "answer.csv")
    assert len(words) >= 4
    for domain, answer in zip(words["domain"], words["answer"], strict=True):
        assert f"- **{domain}**: {re.sub(script.METRIC_BY_METRIC, '', answer)}\n" in block

"""A study is one folder and its file in conf/experiment: nothing else is told of it, and it runs from end to end."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pandas as pd
import pytest

from igbaselines.running.study import experiments, find_experiment, look_up, schemas, studies, united
from tests import prepared
from tests.commands import ROOT

FILES = {
    "studies/tiny/__init__.py": '''
        """A study for tests."""

        from igbaselines.running.study import Experiment, Study

        HERE = "igbaselines.studies.tiny"
        FUNCTIONS = {name: f"{HERE}.work.{name}" for name in ("run", "render", "combine")}
        STUDY = Study(
            name="tiny",
            experiments=(Experiment("tiny", **FUNCTIONS, has_units=False, is_question=True),),
            schemas={"tiny_data": f"{HERE}.settings.TinyData", "tiny_attribution": f"{HERE}.settings.TinyAttribution"},
            claim_tests=f"{HERE}.work.TESTS",
            label=f"{HERE}.work.label",
        )
    ''',
    "studies/tiny/settings.py": '''
        """What it can be told."""

        from dataclasses import dataclass, field


        @dataclass
        class TinyData:
            values: list[float]

            def checksum(self) -> None:
                return None


        @dataclass
        class TinyAttribution:
            labels: dict[str, str] = field(default_factory=dict)
    ''',
    "studies/tiny/work.py": '''
        """What it does."""

        from types import SimpleNamespace

        import pandas as pd

        from igbaselines.reporting.combination import Combination, Noted
        from igbaselines.reporting.labels import latex_label, plot_label
        from igbaselines.reporting.statistics.estimates import mean_estimate
        from igbaselines.reporting.statistics.verdicts import Outcome, decide
        from igbaselines.reporting.style import new_figure, page_style, save_figure
        from igbaselines.reporting.tables import write_table


        def run(run, dataset, model, attribution, evaluation):
            run.names.method("theirs", "their method")
            run.names.metric(SimpleNamespace(name="height", label="mean height", unit="m", better="higher"))
            for number, value in enumerate(dataset.values):
                for method, factor in (("mine", 2.0), ("theirs", 1.0)):
                    run.rows.add(method, "height", f"tree_{number}", factor * value)


        def render(folder, rows, printed):
            write_table(rows[["method", "value"]].assign(feature="leaf"), folder, "heights")
            with page_style():
                figure = new_figure(3, 3)
                figure.subplots().plot(rows["value"], label=plot_label("mine"))
            caption = f"{plot_label('mine')} and {plot_label('theirs')} by {plot_label('height')}"
            save_figure(figure, folder, "figure_heights", caption)


        def combine(results, printed):
            heights = [of.rows["value"].max() for of in results]
            return Combination([Noted("highest", pd.DataFrame({"height": heights}), f"of {plot_label('mine')}")])


        def tall(rows, claimed, method):
            found = rows[rows["method"] == method]
            estimate = mean_estimate(found["value"].to_numpy(), threshold=claimed.threshold, unit="tree")
            return Outcome(estimate, decide(estimate, claimed), "heights of trees")


        def label(name):
            return "the leaf" if name == "leaf" else None


        TESTS = {"tall": tall}
    ''',
    "conf/experiment/tiny.yaml": """
        # @package _global_
        defaults:
          - /schema/tiny_data@dataset
          - /schema/tiny_attribution@attribution
          - _self_

        experiment: tiny
        dataset_name: trees
        model: null
        model_name: null
        evaluation: null

        dataset:
          values: [1.0, 1.1, 1.2, 1.3]
        attribution:
          labels:
            mine: my method
    """,
    "claims/0000.00000.yaml": """
        paper: "0000.00000"
        title: On trees
        url: https://example.org
        names: {}
        figures: {}
        claims:
          tiny:
            - id: tall
              source: Figure 1
              statement: Trees are tall with my method.
              paper_value: 3
              test: tall
              claimed: { more_than: 1.5 }
              parameters: { method: mine }
    """,
    # What run.py does, where one more folder of studies is known.
    "main.py": """
        from pathlib import Path

        import igbaselines.studies
        from igbaselines.running import config

        here = Path(__file__).parent
        igbaselines.studies.__path__.append(str(here / "studies"))
        config.CLAIMS_ROOT = here / "claims"

        from igbaselines.command_line import main

        main()
    """,
}
Said = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(content).lstrip())
    return folder


@pytest.fixture(scope="module")
def say(place: Path) -> Said:
    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, str(place / "main.py"), "--config-dir", str(place / "conf"), *words]
        folders = [f"output_root={place / 'outputs'}", f"data_root={place / 'data'}"]
        return prepared.run([*command, *folders], ROOT)

    return run


@pytest.fixture(scope="module")
def run_folder(place: Path, say: Said) -> Path:
    result = say("experiment=tiny", "scale=smoke", "device=cpu")
    assert result.returncode == 0, result.stderr
    (folder,) = (place / "outputs" / "tiny").glob("[!.]*")
    return folder


def test_its_rows_are_measured_drawn_and_judged(run_folder: Path) -> None:
    rows = pd.read_parquet(run_folder / "rows.parquet")
    assert rows.groupby("method")["value"].mean().to_dict() == pytest.approx({"mine": 2.3, "theirs": 1.15})
    assert (run_folder / "figures" / "figure_heights.png").exists()
    tex = (run_folder / "tables" / "heights.tex").read_text()
    assert "my method & 2 & the leaf" in tex
    (claim,) = json.loads((run_folder / "claims.json").read_text())
    assert (claim["id"], claim["verdict"]) == ("0000.00000/tall", "reproduced")


def test_its_names_stand_where_the_things_do(run_folder: Path) -> None:
    assert json.loads((run_folder / "names.json").read_text()) == {
        "methods": {"mine": "my method", "theirs": "their method"},
        "metrics": {"height": {"label": "mean height", "unit": "m", "better": "higher", "question": ""}},
    }
    assert "labels" not in (run_folder / "config.yaml").read_text()


def test_the_report_shows_it(place: Path, run_folder: Path, say: Said) -> None:
    result = say("action=report")
    assert result.returncode == 0, result.stderr
    page = (place / "outputs" / "report" / "index.html").read_text()
    for words in ("On trees", "Trees are tall with my method.", "my method and their method by mean height"):
        assert words in page
    assert "All complete runs together (1)" in page
    assert "of my method" in page
    assert run_folder.name in page
    assert (place / "outputs" / "report" / "tables" / "tiny_highest.csv").exists()


def test_it_is_known_like_any_other(run_folder: Path, say: Said) -> None:
    assert "complete already" in say("experiment=tiny", "scale=smoke", "device=cpu").stderr
    shared = say("-m", "experiment=tiny", "scale=smoke", "shard.count=2")
    assert (shared.returncode, "has no units that jobs could share" in shared.stderr) == (2, True)
    assert f"tiny/{run_folder.name}" in say("action=status").stdout


@pytest.mark.parametrize("experiment", sorted(experiments()))
def test_what_an_experiment_names_is_there(experiment: str) -> None:
    found = find_experiment(experiment)
    assert all(callable(look_up(name)) for name in (found.run, found.render, found.combine) if name)
    assert (ROOT / "conf" / "experiment" / f"{experiment}.yaml").exists()


def test_what_a_study_names_is_there() -> None:
    for study in studies():
        assert study.claim_tests is None or all(callable(test) for test in look_up(study.claim_tests).values())
        assert study.label is None or look_up(study.label)("a name that nobody knows") is None
    assert all(look_up(name).__module__ == name.rpartition(".")[0] for name in schemas().values())


def test_two_studies_may_not_take_one_name() -> None:
    with pytest.raises(ValueError, match="two studies register trees"):
        united([{"trees": 1}, {"bushes": 2, "trees": 3}])


@pytest.mark.slow
def test_a_study_can_be_a_plugin(place: Path, tmp_path: Path) -> None:
    """The same in one file, of which the command line alone is told."""
    parts = [dedent(FILES[f"studies/tiny/{name}.py"]) for name in ("settings", "work", "__init__")]
    code = (
        "\n".join(parts)
        .replace("igbaselines.studies.tiny.", "tiny_study.")
        .replace('"igbaselines.studies.tiny"', '"tiny_study"')
    )
    code = code.replace("{HERE}.work", "{HERE}").replace("{HERE}.settings", "{HERE}")
    (tmp_path / "tiny_study.py").write_text(code)
    words = [f"plugins=[{tmp_path / 'tiny_study.py'}]", f"output_root={tmp_path / 'outputs'}", f"data_root={tmp_path}"]
    command = [sys.executable, str(ROOT / "run.py"), "--config-dir", str(place / "conf")]
    for asked in (["experiment=tiny", "scale=demo"], ["action=report"]):
        result = prepared.run([*command, *asked, *words], ROOT)
        assert result.returncode == 0, result.stderr
    (run,) = (tmp_path / "outputs" / "tiny").glob("*/status.json")
    assert set(pd.read_parquet(run.with_name("rows.parquet"))["method"]) == {"mine", "theirs"}
    assert "the leaf" in (run.parent / "tables" / "heights.tex").read_text()
    page = (tmp_path / "outputs" / "report" / "index.html").read_text()
    assert run.parent.name in page
    unnamed = prepared.run([*command, "experiment=tiny", *words[1:]], ROOT)
    assert unnamed.returncode == 2
    without = prepared.run([sys.executable, str(ROOT / "run.py"), "action=report", *words[1:]], ROOT)
    assert without.returncode == 0, without.stderr  # it is drawn without what only the study knows

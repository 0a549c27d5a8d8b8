"""Every figure and table of a comparison, written from rows made by hand."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from igbaselines.reporting.claims import Printed
from igbaselines.reporting.labels import printed_as
from igbaselines.reporting.style import Drawing
from igbaselines.running.rows import Names
from igbaselines.studies.comparison.reporting import figures
from igbaselines.studies.comparison.reporting.judged import Domain, at_largest_budget, domains
from igbaselines.studies.comparison.reporting.render import render
from igbaselines.studies.comparison.reporting.tables import metrics_table
from tests.compared_rows import NAMES, rows_of

WORTH = {
    "good": {"deletion": 0.0, "insertion": 2.0, "cosine": 2.0},
    "wg": {"deletion": 0.1, "insertion": 1.0, "cosine": 1.0, "stability": 0.0},
    "name_$_nobody_knows": {"deletion": 1.0, "insertion": 0.0, "cosine": 0.0, "stability": 1.0},
    "random_map": {"deletion": 2.0, "insertion": -1.0, "cosine": -1.0, "cost": 0.0},
}
OF_DOMAINS = {
    "answer": figures.answer_figure,
    "ranks": figures.ranks_figure,
    "questions": figures.questions_figure,
    "comparison": figures.metrics_and_methods_figure,
}
CONFIG = {
    "methods": {"wg": {"weighting": {"_target_": "x"}, "fitness": {"mask": "mean"}}, "good": {"baselines": {}}},
    "metrics": {
        "deletion": {"_target_": "x.Deletion", "imputer": "mean", "steps": 20},
        "insert": {"_target_": "x.Deletion", "imputer": "zero", "steps": 20, "name": "insertion"},
        "cosine": {"_target_": "x.Cosine", "known": "mean"},
    },
}


@pytest.fixture(autouse=True, scope="module")
def _labels_of_the_run() -> Iterator[None]:
    with printed_as(NAMES):
        yield


def written(folder: Path, rows: pd.DataFrame, names: Names = NAMES) -> tuple[set[str], set[str]]:
    """Names of the figures and tables that follow from rows."""
    names.write(folder)
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    render(folder, rows, Printed())
    found = (
        {path.stem for path in (folder / part).glob(kind)} for part, kind in (("figures", "*.png"), ("tables", "*.csv"))
    )
    drawn, tables = found
    return drawn, tables


def test_of_several_kinds_of_data_at_several_budgets_all_is_written(tmp_path: Path) -> None:
    cheap = {name: dict(of) | ({} if name == "random_map" else {"cost": 16.0}) for name, of in WORTH.items()}
    fewer = {name: of for name, of in WORTH.items() if name != "name_$_nobody_knows"}
    rows = pd.concat(
        [
            rows_of(WORTH, budget=64, data=["wine", "digits"], inputs=8),
            rows_of(cheap, budget=16, data=["wine", "digits"], inputs=8),
            rows_of(fewer, domain="hep", budget=64, data=["hep"], networks=3, inputs=3),
        ],
        ignore_index=True,
    )
    drawn, tables = written(tmp_path, rows)
    assert drawn == {f"figure_{name}" for name in (*OF_DOMAINS, "metrics", "cost")}
    assert tables == {
        *(
            "answer",
            "answer_matrix",
            "answer_by_question",
            "ranks_by_metric",
            "comparison",
            "agreement_of_metrics",
            "without_a_metric",
            "own_mask",
        )
    }
    words = pd.read_csv(tmp_path / "tables" / "answer.csv").set_index("domain")["answer"]
    assert list(words.index) == ["tables", "hep"]
    assert all(text.startswith("G_best has the best mean rank") for text in words)
    own = pd.read_csv(tmp_path / "tables" / "own_mask.csv")
    assert list(own["method"]) == ["wg", "wg"]
    assert set(own["metrics"]) == {1}
    every = pd.read_csv(tmp_path / "tables" / "comparison.csv")
    assert set(every["budget"]) == {16, 64}
    of_hep = every[(every["domain"] == "hep") & (every["budget"] == 64)]
    matrix = pd.read_csv(tmp_path / "tables" / "ranks_by_metric.csv").query("domain == 'hep'").set_index("method")
    assert matrix["all_questions"].is_monotonic_increasing
    for line in of_hep[of_hep["question"].notna()].to_dict("records"):
        assert matrix[line["metric"]][line["method"]] == pytest.approx(line["rank"])
    with Image.open(tmp_path / "figures" / "figure_answer.png") as figure:
        assert "tables: 16 inputs, 2 networks; hep: 9 inputs, 3 networks" in figure.info["Description"]
    assert (tmp_path / "figures" / "figure_answer.pdf").stat().st_size > 0


def test_without_a_question_the_answer_is_that_there_is_none(tmp_path: Path) -> None:
    rows = rows_of({"a": {"sparseness": 1.0}, "b": {"sparseness": 2.0}}, inputs=3)
    assert written(tmp_path, rows) == ({"figure_comparison"}, {"answer", "comparison"})
    assert "There is no answer" in (tmp_path / "tables" / "answer.csv").read_text()


def test_of_no_rows_nothing_is_written(tmp_path: Path) -> None:
    assert written(tmp_path, rows_of(WORTH, inputs=1)[:0]) == (set(), set())


@pytest.mark.parametrize("draw", OF_DOMAINS.values(), ids=OF_DOMAINS.keys())
@pytest.mark.parametrize(
    ("methods", "inputs"), [(("wg", "good"), 1), (("wg", "name_$_nobody_knows"), 4), (tuple(WORTH), 2)]
)
def test_few_methods_and_inputs_are_drawn(
    methods: tuple[str, ...], inputs: int, draw: Callable[[Sequence[Domain]], Drawing]
) -> None:
    main = at_largest_budget(domains(rows_of({name: WORTH[name] for name in methods}, inputs=inputs), NAMES.metrics))
    figure, caption = draw(main)
    assert figure is not None
    assert caption
    figure.draw_without_rendering()
    texts = [text.get_text() for axes in figure.axes for text in (*axes.get_yticklabels(), *axes.texts)]
    assert any("wg" in text for text in texts)


@pytest.mark.parametrize("draw", [figures.ranks_figure, figures.questions_figure])
def test_of_an_interval_only_ranks_that_there_can_be_are_drawn(draw: Callable[[Sequence[Domain]], Drawing]) -> None:
    noisy = rows_of({"a": {"cosine": 0.0}, "b": {"cosine": 0.0}, "c": {"cosine": 0.0}}, inputs=2, noise=1.0)
    figure, _ = draw(domains(noisy, NAMES.metrics))
    assert figure is not None
    of_axes = [
        collection for axes in figure.axes for collection in axes.collections if np.max(collection.get_linewidth()) < 2
    ]
    ends = np.concatenate([np.asarray(path.vertices)[:, 0] for lines in of_axes for path in lines.get_paths()])
    assert 1 <= ends.min() < ends.max() <= 3


def test_what_needs_several_metrics_or_budgets_is_not_drawn_of_one() -> None:
    main = domains(rows_of({"a": {"cosine": 1.0}, "b": {"cosine": 0.0}}, inputs=3), NAMES.metrics)
    assert figures.metrics_figure(metrics_table(main)) == (None, "")
    assert figures.cost_figure(main) == (None, "")


def test_what_is_not_told_from_the_best_is_framed() -> None:
    rows = rows_of({"a": {"cosine": 1.0}, "b": {"cosine": 1.0}, "c": {"cosine": -9.0}}, inputs=12, noise=0.5)
    (domain,) = domains(rows, NAMES.metrics)
    assert domain.overall is not None
    figure, _ = figures.answer_figure([domain])
    assert figure is not None
    (axes,) = figure.axes
    widths = sorted(patch.get_linewidth() for patch in axes.patches)
    assert len(widths) == len(domain.overall.unresolved) == 2
    assert widths[0] < widths[1]
    bold = {text.get_text() for text in axes.texts if text.get_fontweight() == "bold"}
    assert bold == {f"{rank:.1f}" for rank in domain.overall.nested.means[:2]}

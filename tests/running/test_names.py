"""Names of a run: who gives them, and that they come back from its folder as they went in."""

from pathlib import Path

import pytest

from igbaselines.common.errors import UserError
from igbaselines.metrics import Quantity
from igbaselines.running.rows import Names
from igbaselines.running.runner import prepare
from tests.running.test_config import composed
from tests.small_tasks import misdirected


def test_names_come_back_as_they_went_in(tmp_path: Path) -> None:
    names = Names({"ig": "mine"})
    names.method("ig", "IG")  # the configuration's word counts
    names.method("idgi", "IDGI, $\\lambda$")
    names.metric(Quantity("deletion_auc", "deletion AUC", "", "lower"))
    names.write(tmp_path)
    found = Names.read(tmp_path)
    assert found == names
    assert found.labels == {"ig": "mine", "idgi": "IDGI, $\\lambda$", "deletion_auc": "deletion AUC"}
    assert found.metrics["deletion_auc"]["better"] == "lower"


def test_a_run_without_names_has_none(tmp_path: Path) -> None:
    assert Names.read(tmp_path) == Names()


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{}", '{"methods": 1, "metrics": {}}', '{"methods": {}, "metrics": {"a": 1}}'),
        '{"methods": {}, "metrics": {"a": {"label": "a", "unit": "1", "better": "more"}}}',
    ],
)
def test_damaged_names_are_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "names.json").write_text(content)
    with pytest.raises((ValueError, LookupError, TypeError, AttributeError)):
        Names.read(tmp_path)


def test_a_metric_says_which_direction_is_better(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lower or higher is better, not 'more'"):
        Names().metric(misdirected())
    names = Names()
    names.metric(Quantity("events", "events"))
    names.write(tmp_path)
    assert Names.read(tmp_path).metrics["events"]["better"] == ""


def test_of_several_runs_the_last_says_what_they_say_otherwise() -> None:
    runs = [Names({"a": "A"}), Names({"a": "B"}, {"m": {"label": "M"}}), Names({"c": "C"})]
    assert Names.of_all(runs) == Names({"a": "B", "c": "C"}, {"m": {"label": "M"}})


def test_labels_are_no_part_of_a_run(tmp_path: Path) -> None:
    def place(*overrides: str) -> Path:
        named = ("dataset_name=d", "model_name=m", f"output_root={tmp_path}", f"data_root={tmp_path}")
        run = prepare(composed("experiment=hep_baselines", "scale=smoke", *named, *overrides))
        assert "labels" not in run.plain["attribution"]
        return run.folder.path

    assert place() == place("attribution.labels.background=mine") == place("+attribution.labels.new=newer")
    assert place() != place("attribution.output=probability")


@pytest.mark.parametrize(
    ("experiment", "name"),
    [
        ("hep_baselines", "accuracy"),
        ("hep_stability", "rank"),
        ("shapley_gridworld", "cosine"),
        ("shapley_images", "deletion_auc"),
        ("weighted_gradients", "weight"),
        ("comparison", "cost"),
    ],
)
def test_a_metric_takes_no_name_of_the_experiments_own(tmp_path: Path, experiment: str, name: str) -> None:
    metric = f"{{_target_: igbaselines.metrics.DeletionAUC, imputer: zero, name: {name}}}"
    named = ("dataset_name=d", "model_name=m", f"output_root={tmp_path}", f"data_root={tmp_path}")
    with pytest.raises(UserError, match=f"metrics=mine: {name} is measured already"):
        prepare(composed(f"experiment={experiment}", "scale=smoke", f"+metrics.mine={metric}", *named))

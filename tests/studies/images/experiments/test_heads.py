"""shapley_heads: the same network agrees with itself, another does not; and the whole run."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from igbaselines.attribution.baselines import ZeroBaseline
from igbaselines.common.errors import UserError
from igbaselines.metrics import DeletionAUC
from igbaselines.studies.images.data.photographs import Photograph
from igbaselines.studies.images.data.sample_photos import SamplePhotos
from igbaselines.studies.images.experiments.heads import one_photograph, run
from igbaselines.studies.images.experiments.settings import HeadsEvaluation, ShapleyImagesAttribution
from igbaselines.studies.images.networks.recipe import EfficientNetLite
from igbaselines.studies.images.reporting.heads import run_tables
from tests.commands import Command
from tests.studies.images.small_studies import CHOSEN, SIDE, Linear, small_classifier, small_study

EVALUATION = HeadsEvaluation(heads=2, hidden=2, epochs=1, crops=1, test_crops=1, consistency_grid=4)
ATTRIBUTION = ShapleyImagesAttribution(
    output="logit",
    gradient_points=4,
    absent=ZeroBaseline(),
    patch=4,
    shapley_nodes=2,
    paired=False,
    baselines={"ig_black": ZeroBaseline()},
    example_baselines=2,
)


def test_agreement_is_that_of_all_pairs_of_heads() -> None:
    """Two heads that are one agree, with a third one of the opposite sign neither does: a mean of 1, -1 and -1."""
    opposite = Linear()
    opposite.weight.data = -opposite.weight
    study = small_study(ATTRIBUTION, Linear())
    picture = Image.effect_noise((2 * SIDE, 2 * SIDE), 90).convert("RGB")
    chosen = replace(CHOSEN, photograph=Photograph("a.jpg", picture, 1, None))
    heads = [small_classifier(network) for network in (Linear(), Linear(), opposite)]
    for some, expected in ((heads[:2], 1.0), (heads, -1 / 3)):
        rows = one_photograph(study, some, EVALUATION, 0, chosen, Path("nowhere"))["rows"]
        assert {row["method"] for row in rows} == set(ATTRIBUTION.methods())
        assert {row["metric"] for row in rows} == {"consistency"}
        assert [row["value"] for row in rows] == pytest.approx([expected] * len(rows))


def test_metrics_of_the_command_line_are_refused() -> None:
    asked = replace(small_study(ATTRIBUTION, Linear()).run, metrics={"deletion": DeletionAUC("zero")})
    with pytest.raises(UserError, match="has a metric of its own alone: leave deletion out"):
        run(asked, SamplePhotos("nowhere"), EfficientNetLite("efficientnet_lite0"), ATTRIBUTION, EVALUATION)


def test_tables_hold_each_method_against_sig() -> None:
    values = {"shapley_ig": (0.5, 0.7), "ig_black": (0.4, 0.5), "ig_absent": (0.6, 0.9)}
    rows = [
        {"method": method, "metric": "consistency", "unit": f"photo_{place}", "value": value}
        for method, of_method in values.items()
        for place, value in enumerate(of_method)
    ]
    rows.append({"method": "network", "metric": "accuracy", "unit": "head_0", "value": 1.0})
    tables = run_tables(pd.DataFrame(rows))
    assert tables["methods"]["method"].tolist() == ["ig_absent", "shapley_ig", "ig_black"]
    differences = tables["against_sig"].set_index("method")["difference"]
    assert differences.to_dict() == pytest.approx({"ig_black": 0.15, "ig_absent": -0.15})
    assert tables["networks"]["unit"].tolist() == ["head_0"]


@pytest.mark.slow
def test_smoke(command: Command) -> None:
    result = command("experiment=shapley_heads", "scale=smoke")
    assert result.returncode == 0, result.stderr + result.stdout
    (folder,) = command.runs()
    assert (folder / "figures" / "figure_heads.png").exists()
    rows = pd.read_parquet(folder / "rows.parquet")
    found = rows[rows["metric"] == "consistency"]
    assert found["unit"].nunique() == 2
    assert found["value"].between(-1, 1).all()
    assert rows.loc[rows["metric"] == "accuracy", "unit"].tolist() == ["head_0", "head_1"]
    claims = json.loads((folder / "claims.json").read_text())
    assert [claim["id"] for claim in claims if claim["verdict"] == "not tested"] == []

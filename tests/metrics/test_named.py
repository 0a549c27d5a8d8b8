"""The metrics that a command line can name: each can be built, and no two write the same rows."""

from pathlib import Path

import pytest
import yaml
from hydra.utils import instantiate

from igbaselines.metrics import Metric, PairedMetric

FILES = sorted((Path(__file__).parents[2] / "conf" / "metrics").glob("*.yaml"))


def metric_of(file: Path) -> Metric | PairedMetric:
    ((name, settings),) = yaml.safe_load(file.read_text()).items()
    assert name == file.stem
    found: Metric | PairedMetric = instantiate(settings)
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_can_be_built(file: Path) -> None:
    metric = metric_of(file)
    assert isinstance(metric, Metric | PairedMetric)
    assert "fooled" in (type(metric).__doc__ or "") + (type(metric).__base__.__doc__ or "")  # and by what


def test_no_two_have_a_name_or_a_label_in_common() -> None:
    quantities = [metric_of(file).quantity for file in FILES]
    assert len({quantity.name for quantity in quantities}) == len(FILES)
    assert len({quantity.label for quantity in quantities}) == len(FILES)

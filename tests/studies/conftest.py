"""Methods are printed as a run of the configurations that ship prints them."""

from collections.abc import Iterator

import pytest
import yaml

from igbaselines.common.places import PROJECT_ROOT
from igbaselines.reporting.labels import printed_as
from igbaselines.running.rows import Names

LABELS = {
    name: label
    for path in sorted((PROJECT_ROOT / "conf" / "attribution").glob("*.yaml"))
    for name, label in (yaml.safe_load(path.read_text(encoding="utf-8")).get("labels") or {}).items()
}


@pytest.fixture(autouse=True, scope="module")
def _labels_of_the_run() -> Iterator[None]:
    with printed_as(Names(LABELS)):
        yield

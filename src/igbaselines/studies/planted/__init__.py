"""Functions written down by us whose attributions are known in closed form: what is wrong there is the method."""

from igbaselines.running.study import Study

STUDY = Study(
    name="planted",
    experiments=(),
    tasks={"planted": "igbaselines.studies.planted.comparison.comparison_tasks"},
    kinds={"planted": "functions with known attributions"},
)

"""Tasks x methods x metrics: one comparison over the domains of all studies, which it knows by what they register."""

from igbaselines.running.study import Experiment, Study

HERE = "igbaselines.studies.comparison"

STUDY = Study(
    name="comparison",
    experiments=(
        Experiment(
            "comparison",
            run=f"{HERE}.experiment.run",
            render=f"{HERE}.reporting.render.render",
            combine=f"{HERE}.reporting.seeds.combine",
        ),
    ),
    schemas={"comparison_evaluation": f"{HERE}.settings.ComparisonEvaluation"},
)

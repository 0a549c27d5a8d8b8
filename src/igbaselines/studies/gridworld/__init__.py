"""2310.04821 on grid worlds, where Shapley values are known exactly."""

from igbaselines.running.study import Experiment, Study

HERE = "igbaselines.studies.gridworld"

STUDY = Study(
    name="gridworld",
    experiments=(
        Experiment(
            "shapley_gridworld",
            run=f"{HERE}.experiments.experiment.run",
            render=f"{HERE}.reporting.render.render",
            units="evaluation.states",
        ),
        Experiment(
            "shapley_errors",
            run=f"{HERE}.experiments.errors.run",
            render=f"{HERE}.reporting.errors.render",
            is_question=True,
            units="evaluation.states",
        ),
    ),
    schemas={
        "gridworld": f"{HERE}.data.dataset.GridWorld",
        "grid_value_mlp": f"{HERE}.networks.recipe.GridValueRecipe",
        "gridworld_attribution": f"{HERE}.experiments.settings.GridworldAttribution",
        "gridworld_evaluation": f"{HERE}.experiments.settings.GridworldEvaluation",
        "gridworld_errors_evaluation": f"{HERE}.experiments.settings.GridworldErrorsEvaluation",
    },
    claim_tests=f"{HERE}.reporting.claim_tests.TESTS",
    tasks={"gridworld": f"{HERE}.comparison.comparison_tasks"},
    kinds={"gridworld": "states of grid worlds"},
)

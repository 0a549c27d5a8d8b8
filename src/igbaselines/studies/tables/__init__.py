"""Tables of classes: scikit-learn's own and anyone's, with networks that the suite trains; tasks for `comparison`."""

from igbaselines.running.study import Study

HERE = "igbaselines.studies.tables"

STUDY = Study(
    name="tables",
    experiments=(),
    schemas={
        "sklearn_table": f"{HERE}.data.sklearn_table.SklearnTable",
        "table": f"{HERE}.data.table_file.TableFile",
        "tables": f"{HERE}.data.labelled.Tables",
        "table_mlp": f"{HERE}.networks.recipe.TableMLPRecipe",
    },
    tasks={"tables": f"{HERE}.comparison.comparison_tasks"},
    kinds={"tables": "rows of data tables"},
)

"""2412.13864: averaged background events as baselines, in collider physics."""

from igbaselines.running.study import Experiment, Study

HERE = "igbaselines.studies.hep"
RANKINGS = ("sample_counts", "weightings", "combined", "architectures", "stability", "scores")

STUDY = Study(
    name="hep",
    experiments=(
        Experiment(
            "hep_baselines",
            run=f"{HERE}.experiments.baselines.run",
            render=f"{HERE}.reporting.baselines.render",
            units="evaluation.networks",
            some_units="evaluation.retrained_networks",
        ),
        *(
            Experiment(
                f"hep_{name}",
                run=f"{HERE}.experiments.rankings.{name}.run",
                render=f"{HERE}.reporting.rankings.render.{name}",
                is_question=True,
                units="evaluation.networks",
            )
            for name in RANKINGS
        ),
        Experiment(
            "hep_generators",
            run=f"{HERE}.experiments.generators.experiment.run",
            render=f"{HERE}.reporting.generators.render",
            has_units=False,
            is_question=True,
        ),
    ),
    schemas={
        "hep_synthetic": f"{HERE}.data.synthetic.dataset.HepSynthetic",
        "hep_pythia": f"{HERE}.data.pythia.dataset.HepPythia",
        "hep_table": f"{HERE}.data.table.HepTable",
        "hep_ntuple": f"{HERE}.data.ntuple.dataset.HepNtuple",
        "swish_dnn": f"{HERE}.networks.recipe.DNNRecipe",
        "hep_own": f"{HERE}.networks.own.OwnNetworkFile",
        "object_attention": f"{HERE}.networks.recipe.ObjectAttentionRecipe",
        "particle_sets": f"{HERE}.networks.recipe.ParticleSetRecipe",
        "hep_attribution": f"{HERE}.experiments.settings.HepAttribution",
        "hep_evaluation": f"{HERE}.experiments.settings.HepEvaluation",
        "hep_rankings_evaluation": f"{HERE}.experiments.rankings_settings.RankingsEvaluation",
        "hep_sample_counts_evaluation": f"{HERE}.experiments.rankings_settings.SampleCountsEvaluation",
        "hep_retrained_rankings_evaluation": f"{HERE}.experiments.rankings_settings.RetrainedEvaluation",
        "hep_combined_evaluation": f"{HERE}.experiments.rankings_settings.CombinedEvaluation",
        "hep_architectures_evaluation": f"{HERE}.experiments.rankings_settings.ArchitecturesEvaluation",
        "hep_generators_evaluation": f"{HERE}.experiments.generators.settings.HepGeneratorsEvaluation",
    },
    claim_tests=f"{HERE}.reporting.claim_tests.TESTS",
    label=f"{HERE}.labels.label",
    tasks={"hep": f"{HERE}.comparison.comparison_tasks"},
    kinds={"hep": "collision events"},
)

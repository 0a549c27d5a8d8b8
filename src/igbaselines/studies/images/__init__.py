"""Photographs: 2505.03201, 2310.04821 on images, and explanations of one's own."""

from igbaselines.running.study import Experiment, Study

HERE = "igbaselines.studies.images"

STUDY = Study(
    name="images",
    experiments=(
        Experiment(
            "weighted_gradients",
            run=f"{HERE}.experiments.weighted_gradients.run",
            render=f"{HERE}.reporting.weighted.render.render",
            combine=f"{HERE}.reporting.weighted.combined.combine",
            units="dataset.n_images",
        ),
        Experiment(
            "shapley_images",
            run=f"{HERE}.experiments.shapley_images.run",
            render=f"{HERE}.reporting.shapley.render.render",
            units="dataset.n_images",
        ),
        Experiment(
            "shapley_heads",
            run=f"{HERE}.experiments.heads.run",
            render=f"{HERE}.reporting.heads.render",
            is_question=True,
            units="dataset.n_images",
        ),
        Experiment(
            "explain",
            run=f"{HERE}.experiments.explain.run",
            render=f"{HERE}.reporting.explain.render",
            is_of_users=True,
        ),
    ),
    schemas={
        "imagenet": f"{HERE}.data.imagenet.Imagenet",
        "coco": f"{HERE}.data.coco.Coco",
        "image_folder": f"{HERE}.data.image_folder.ImageFolder",
        "sample_photos": f"{HERE}.data.sample_photos.SamplePhotos",
        "torchvision_model": f"{HERE}.networks.recipe.TorchvisionModel",
        "timm_model": f"{HERE}.networks.recipe.TimmModel",
        "efficientnet_lite": f"{HERE}.networks.recipe.EfficientNetLite",
        "network_file": f"{HERE}.networks.recipe.NetworkFile",
        "image_attribution": f"{HERE}.experiments.settings.ImageAttribution",
        "weighted_gradients_evaluation": f"{HERE}.experiments.settings.WeightedGradientsEvaluation",
        "shapley_images_attribution": f"{HERE}.experiments.settings.ShapleyImagesAttribution",
        "shapley_images_evaluation": f"{HERE}.experiments.settings.ShapleyImagesEvaluation",
        "heads_evaluation": f"{HERE}.experiments.settings.HeadsEvaluation",
        "explain_evaluation": f"{HERE}.experiments.settings.ExplainEvaluation",
    },
    claim_tests=f"{HERE}.reporting.claim_tests.TESTS",
    label=f"{HERE}.labels.label",
    tasks={"photographs": f"{HERE}.comparison.comparison_tasks"},
)

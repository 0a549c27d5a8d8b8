"""Methods and metrics by name, for whoever has no YAML: the base install reads none.

They are those of conf/methods and conf/metrics that ask for nothing but a background, which a test holds against these.
"""

from collections.abc import Mapping
from types import MappingProxyType

from igbaselines.attribution.baselines import (
    Examples,
    GaussianNoise,
    MaximumDistance,
    PerStratum,
    TrainingMean,
    UniformNoise,
    ZeroBaseline,
)
from igbaselines.attribution.engine.quadrature import AtInput, GaussLegendre
from igbaselines.attribution.fitness import Fitness
from igbaselines.attribution.image_baselines import Blurred
from igbaselines.attribution.methods import AveragedGradients, Method
from igbaselines.attribution.shapley.estimators import ShapleyIG, ShapleySampling
from igbaselines.attribution.weighting import ByStratum, InverseFitness
from igbaselines.metrics import (
    DeletionAUC,
    DrawStability,
    FaithfulnessCorrelation,
    Infidelity,
    MaxSensitivity,
    Metric,
    ModelRandomisation,
    PairedMetric,
    Sparseness,
)
from igbaselines.metrics.perturbation_curves import ShareGrid

FINE, COARSE = GaussLegendre(32), GaussLegendre(8)
SIX, OF_OTHERS, BY_MEAN = Examples(6, at_most=True), PerStratum(20, at_most=True, others=True), Fitness(mask="mean")

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "ig_zero": AveragedGradients(ZeroBaseline(), FINE),
        "ig_mean": AveragedGradients(TrainingMean(), FINE),
        "ig_max_distance": AveragedGradients(MaximumDistance(), FINE),
        "ig_uniform": AveragedGradients(UniformNoise(4), COARSE),
        "ig_gaussian": AveragedGradients(GaussianNoise(0.25, 4), COARSE),
        "ig_blur": AveragedGradients(Blurred(10.0), FINE),
        "gradient_x_input": AveragedGradients(ZeroBaseline(), AtInput()),
        "expected_gradients": AveragedGradients(SIX, COARSE),
        "background": AveragedGradients(OF_OTHERS, COARSE),
        "background_weighted": AveragedGradients(PerStratum(20, ByStratum(), at_most=True, others=True), COARSE),
        "weighted_gradients": AveragedGradients(SIX, COARSE, InverseFitness(), BY_MEAN),
        "filtered_weighted_gradients": AveragedGradients(SIX, COARSE, InverseFitness(filter_below=0.25), BY_MEAN),
        "shapley_ig": ShapleyIG("mean", 32, rule=GaussLegendre(2)),
        "shapley_ig_zero": ShapleyIG("zero", 32, rule=GaussLegendre(2)),
        "shapley_ig_background": ShapleyIG("background", 32, rule=GaussLegendre(2)),
        "shapley_sampling": ShapleySampling("mean", 32),
    }
)


def _curves(imputer: str) -> dict[str, Metric]:
    """Deletion and insertion with an imputer."""
    grid = ShareGrid(20)
    return {
        f"deletion_{imputer}": DeletionAUC(imputer, grid, name=f"deletion_auc_{imputer}"),
        f"insertion_{imputer}": DeletionAUC(imputer, grid, insertion=True, name=f"insertion_auc_{imputer}"),
    }


METRICS: Mapping[str, Metric | PairedMetric] = MappingProxyType(
    {
        **_curves("zero"),
        **_curves("mean"),
        **_curves("background"),
        **_curves("blur"),
        "infidelity": Infidelity("mean"),
        "infidelity_background": Infidelity("background", name="infidelity_background"),
        "faithfulness_correlation": FaithfulnessCorrelation("mean"),
        "faithfulness_correlation_background": FaithfulnessCorrelation(
            "background", name="faithfulness_correlation_background"
        ),
        "sparseness": Sparseness(),
        "max_sensitivity": MaxSensitivity(draws=2),
        "draw_stability": DrawStability(),
        "model_randomisation": ModelRandomisation(),
    }
)

"""Configuration: every choice composes and builds, and what a mistake on the command line says."""

import re
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from igbaselines.common.errors import UserError
from igbaselines.common.places import PROJECT_ROOT
from igbaselines.running.config import one_line, register, resolve
from igbaselines.running.plugins import name_network
from igbaselines.running.study import schemas
from igbaselines.running.targets import instantiate
from igbaselines.studies.gridworld.experiments.experiment import check

EXPERIMENTS = sorted(path.stem for path in (PROJECT_ROOT / "conf" / "experiment").glob("*.yaml"))


def composed(*overrides: str) -> DictConfig:
    register()
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        return compose("config", list(overrides))


@pytest.mark.parametrize("scale", ["smoke", "demo", "full", "paper"])
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes_and_builds_at_every_scale(experiment: str, scale: str) -> None:
    ones_own = ["dataset.path=photos"] if experiment == "explain" else []
    config = composed(f"experiment={experiment}", f"scale={scale}", *ones_own)
    assert (config.experiment, config.scale) == (re.sub("(_ablation|^(comparison)_weights)$", r"\2", experiment), scale)
    for part in ("dataset", "model", "attribution", "evaluation"):
        assert config[part] is None or instantiate(config[part]) is not None  # null: it needs none


@pytest.mark.parametrize("scale", ["smoke", "demo", "full", "paper"])
def test_grid_worlds_hold_out_enough_at_every_scale(scale: str) -> None:
    config = composed("experiment=shapley_gridworld", f"scale={scale}")
    check(instantiate(config.dataset), instantiate(config.evaluation))


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (PROJECT_ROOT / "conf" / group).glob("*.yaml"))


TABLES = {
    **dict.fromkeys(("breast_cancer", "wine", "digits", "sklearn_tables"), ()),
    "table": ("dataset.path=x.csv", "dataset.target=y"),
}
EVENT_MODELS = ("swish_dnn", "deep_swish_dnn", "relu_dnn", "object_attention", "particle_sets", "hep_own")
IMAGE_OPTIONS = [
    *((group, name) for group in ("attribution/baselines", "attribution/rule") for name in options(group)),
    *((group, name) for group in ("attribution/search", "evaluation/grid", "protocol") for name in options(group)),
    ("+mask@evaluation.masks.more", "mean_colour"),
    *(("evaluation/masks", name) for name in options("evaluation/masks")),
    *((f"mask@{key}", name) for key in ("evaluation.mask", "attribution.fitness_mask") for name in options("mask")),
    *(("model", name) for name in options("model") if name not in (*EVENT_MODELS, "grid_value_mlp", "table_mlp")),
    *(("dataset", name) for name in options("dataset") if not name.startswith(("hep_", "gridworld", *TABLES))),
]


@pytest.mark.parametrize(("group", "name"), IMAGE_OPTIONS)
def test_every_choice_for_images_composes_and_builds(group: str, name: str) -> None:
    given = {"image_folder": "dataset.path=x", "timm_model": "model.architecture=test_resnet"}
    given["network_file"] = "model.network_file=x.pt"
    name_network("x.pt")
    needed = given.get(name, "dataset.root=x" if name in ("imagenet", "coco") else "seed=1")
    config = composed("experiment=weighted_gradients", "scale=paper", f"{group}={name}", needed)
    for part in ("dataset", "model", "attribution", "evaluation"):
        assert instantiate(config[part]) is not None


@pytest.mark.parametrize("name", TABLES)
def test_every_table_composes_and_builds(name: str) -> None:
    config = composed("experiment=comparison", f"dataset={name}", *TABLES[name], "model=table_mlp")
    assert instantiate(config.dataset).domain() == instantiate(config.model).domain() == "tables"


@pytest.mark.parametrize("rule", options("attribution/rule"))
@pytest.mark.parametrize("attribution", ["averaged_baselines", "background_weightings"])
def test_every_rule_for_events_composes_and_builds(attribution: str, rule: str) -> None:
    config = composed("experiment=hep_baselines", f"attribution={attribution}", f"attribution/rule={rule}")
    assert type(instantiate(config.attribution).rule).__name__.lower() == rule.replace("_", "")


@pytest.mark.parametrize("model", EVENT_MODELS)
def test_every_network_for_events_composes_and_builds(model: str) -> None:
    name_network("x.pt")
    file = ["model.network_file=x.pt"] if model == "hep_own" else []
    config = composed("experiment=hep_baselines", f"model={model}", *file)
    assert instantiate(config.model).max_epochs == 30  # of the scale, whatever the model


@pytest.mark.parametrize("absent", options("attribution/absent"))
def test_every_value_of_absent_pixels_composes_and_builds(absent: str) -> None:
    config = composed("experiment=shapley_images", f"attribution/absent={absent}")
    assert instantiate(config["attribution"]).coalitions > 1


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("attribution.ranking=squared", ["attribution.ranking", "signed or magnitude"]),
        ("attribution.output=odds", ["attribution.output", "logit or probability"]),
        ("attribution.filter_below=2", ["attribution.filter_below", "[0, 1]"]),
        ("attribution.search.alpha=2", ["alpha", "2"]),
        ("attribution.reference_images=1", ["attribution.reference_images", "at least 2"]),
        ("attribution.fitness_mask._target_=os.system", ["_target_", "os.system"]),
        ("evaluation.first_crossing=-1", ["evaluation.first_crossing", "at least 0"]),
        ("+evaluation.masks.one=black", ["evaluation.masks.one", "mask@evaluation.mask=black"]),
        ("evaluation.removed=[0]", ["evaluation.removed", "at least 1"]),
        ("evaluation.insertion=[ig]", ["evaluation.insertion", "expected_gradients"]),
        ("evaluation.overlap=none", ["evaluation.overlap"]),
        ("evaluation.grid.steps=0", ["at least one"]),
        ("dataset.n_images=0", ["dataset.n_images"]),
        ("model.size=8", ["model.size"]),
    ],
)
def test_a_value_that_will_not_do_for_images(override: str, words: list[str]) -> None:
    config = composed("experiment=weighted_gradients", override)
    part = override.removeprefix("+").partition(".")[0]
    with pytest.raises(UserError) as error:
        instantiate(config[part])
    assert all(word in str(error.value) for word in words), error.value


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["model=resnet50"], "resnet50"),
        (["model=resnet50", "model.architecture=convnext_tiny"], "convnext_tiny"),
        (["model=resnet50", "model.weights=IMAGENET1K_V2"], "resnet50-IMAGENET1K_V2"),
        (["model=resnet50", "model.weights=IMAGENET1K_V2", "model.checkpoint=mine.pth"], "resnet50"),
        (["model=timm_model", "model.architecture=hf-hub:timm/x"], "hf-hub:timm_x"),
    ],
)
def test_a_network_is_called_by_its_own_name(overrides: list[str], name: str) -> None:
    # the names of the chosen files are not known to `compose`: only a run has them
    names = ("dataset_name=sample_photos", f"model_name={overrides[0].partition('=')[2]}")
    config = composed("experiment=weighted_gradients", *overrides, *names)
    assert resolve(config)["model_name"] == name


def test_scales_differ_in_size() -> None:
    sizes = [composed("experiment=hep_baselines", f"scale={s}").dataset.n_events for s in ("smoke", "demo", "paper")]
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == 1_000_000


def test_the_command_line_beats_the_scale() -> None:
    assert composed("experiment=hep_baselines", "scale=paper", "dataset.n_events=123").dataset.n_events == 123


def test_every_schema_is_used() -> None:
    used = "\n".join(path.read_text() for path in (PROJECT_ROOT / "conf").rglob("*.yaml"))
    assert [name for name in schemas() if f"/schema/{name}@" not in used] == []


def test_a_model_of_another_experiment_is_explained_in_one_line() -> None:
    with pytest.raises(Exception, match=r"(?s).+") as caught:
        composed("experiment=shapley_gridworld", "scale=smoke", "model=resnet50")
    line = one_line(caught.value)
    assert line.startswith("TorchvisionModel does not fit this experiment"), line
    assert "epochs" in line


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["dataset.n_evnts=5"], r"unknown key dataset\.n_evnts: did you mean n_events\?"),
        (["dataset.n_events=many"], r"n_events=many: Value 'many' .* Integer"),
        (["dataset=nowhere"], r"dataset=nowhere does not exist: choose from .*hep_synthetic"),
        (["model=swish_dn"], r"model=swish_dn does not exist: did you mean swish_dnn\? There are .*resnet50"),
        (["scale=huge"], r"scale=huge does not exist: choose from demo, full, paper, smoke"),
        (["hydra/launcher=joblib"], r"^hydra/launcher=joblib is gone: give hydra/launcher=local instead$"),
        (
            ["hydra/launcher=local", "hydra.launcher.n_jobs=4"],
            r"n_jobs is gone: give hydra\.launcher\.processes instead$",
        ),
        (["nonsense=1"], r"^unknown key nonsense$"),
        (["dataset=hep_ntuple", "dataset.jagged.jet_pt=3"], r"take a \+, \+dataset\.jagged\.jet_pt=\.\.\."),
        (["dataset=hep_synthetic", "dataset.selection.HT=3"], r"unknown key dataset\.selection\.HT: did you mean ht\?"),
        (["seed"], r"'seed' missing EQUAL"),
    ],
)
def test_a_mistake_is_explained_in_one_line(overrides: list[str], message: str) -> None:
    with pytest.raises(Exception, match=r"(?s).+") as caught:
        composed("experiment=hep_baselines", *overrides)
    line = one_line(caught.value)
    assert "\n" not in line
    assert re.search(message, line), line


def test_folders_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = composed("experiment=hep_baselines", "output_root=here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "igbaselines.running.config.OmegaConf.to_container", lambda *_, **__: {"output_root": config.output_root}
        )
        resolve(config)
    assert Path(config.output_root) == tmp_path / "here"

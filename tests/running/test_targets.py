"""What a configuration may have built, and what the guard refuses of Hydra before it could call, import or write it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hydra._internal.hydra
import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.instantiate._instantiate2 import instantiate as of_hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from igbaselines.attribution import GaussLegendre
from igbaselines.common.errors import UserError
from igbaselines.common.places import PROJECT_ROOT
from igbaselines.running.config import register
from igbaselines.running.guard import GuardedLoader, guard_hydra
from igbaselines.running.targets import instantiate

RULE = {"_target_": "igbaselines.attribution.GaussLegendre", "n_steps": 3}
MKDIR_REFUSED = r"_target_ 'os\.mkdir' is not allowed"
REFUSED = [
    "os.system",
    "os.mkdir",
    "builtins.eval",
    "logging.os.system",
    "subprocess.run",
    "igbaselines",
    "igbaselines.nowhere.Nothing",
    "igbaselines.common.files.os.system",
    "igbaselines.running.config.importlib.import_module",
    "igbaselines.running.config.OmegaConf",
    "igbaselines.running.runner.json.loads",
    "igbaselines.running.targets.build",
    "igbaselines.running.targets.instantiate",
    "igbaselines.common.files.write_text",
    "igbaselines.running.run_folder.RunFolder",
    "torchvision.models.resnet.torch.load",
    "torchvision.models.resnet50",
    "timm.models.load_state_dict",
    "igbaselines_not_ours.Rule",
    "???",
    "",
    "${oc.env:HOME}",
    5,
    None,
]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The folder that a trap makes: it tells whether the trap has sprung."""
    return tmp_path / "made"


def trap(made: Path) -> dict[str, Any]:
    return {"_target_": "os.mkdir", "path": str(made)}


# What may be built


def test_the_trap_is_real(made: Path) -> None:
    of_hydra(OmegaConf.create(trap(made)))  # none of the names that Hydra itself forbids
    assert made.exists()


@pytest.mark.parametrize("target", REFUSED)
def test_only_dataclasses_of_ours_are_built(target: object) -> None:
    bad = {"_target_": target, "command": "true"}
    for node in (bad, RULE | {"n_steps": bad}, {"list": [{"deeper": bad}]}):
        with pytest.raises(UserError, match="_target_") as error:
            instantiate(OmegaConf.create(node))
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "node",
    [
        {"_target_": "${name}", "path": "${path}"},
        {"_target_": "os.${last}", "path": "${path}"},
        {"n_steps": "${trap}", **{"_target_": RULE["_target_"]}},
        {"list": ["${trap}"]},
        {"list": "${traps}"},
    ],
)
def test_an_interpolation_becomes_nothing_else(node: dict[str, Any], made: Path) -> None:
    around = {"name": "os.mkdir", "last": "mkdir", "path": str(made), "trap": trap(made), "traps": [trap(made)]}
    with pytest.raises(UserError, match=MKDIR_REFUSED):
        instantiate(OmegaConf.create({**around, "node": node}).node)
    assert not made.exists()


@pytest.mark.parametrize("text", [r"\${trap}", r"${oc.env:NOWHERE,'\${trap}'}"])
def test_an_interpolation_makes_no_other_one(text: str, made: Path) -> None:
    config = OmegaConf.create({"trap": trap(made), "node": RULE | {"n_steps": text}})
    with pytest.raises(UserError, match=r"'\$\{trap\}' is not allowed"):
        instantiate(config.node)
    assert not made.exists()


@pytest.mark.parametrize(
    "extra", [{"_partial_": True}, {"_args_": [3]}, {"_recursive_": False}, {"_convert_": "all"}, {"_recursive_": 5}]
)
def test_objects_are_built_from_their_own_keys_alone(extra: dict[str, Any]) -> None:
    for node in (RULE | extra, {"list": [RULE | extra]}):
        with pytest.raises(UserError, match=f"{next(iter(extra))} is not allowed"):
            instantiate(OmegaConf.create(node))


@pytest.mark.parametrize("node", [None, 5, "os.system", [RULE]])
def test_what_is_no_node_is_refused(node: object) -> None:
    with pytest.raises(UserError, match="a node with a _target_ is needed"):
        instantiate(node)


def test_dataclasses_of_ours_are_built() -> None:
    config = OmegaConf.create({"n": 3, "node": {"rules": [RULE | {"n_steps": "${n}"}]}})
    OmegaConf.set_readonly(config, True)
    assert instantiate(config.node) == {"rules": [GaussLegendre(3)]}
    assert OmegaConf.to_container(config.node) == {"rules": [RULE | {"n_steps": "${n}"}]}  # as it was


def test_what_an_object_refuses_is_the_users_error() -> None:
    with pytest.raises(UserError, match="at least one step, got 0"):
        instantiate(OmegaConf.create(RULE | {"n_steps": 0}))


def test_an_interpolation_of_nothing_is_the_users_error() -> None:
    with pytest.raises(UserError, match="Interpolation key 'nothing' not found"):
        instantiate(OmegaConf.create(RULE | {"n_steps": "${nothing}"}))


# What Hydra may do


@pytest.mark.parametrize("option", ["--experimental-rerun", "--experimental-rerun=run.pickle", "--exp=run.pickle"])
def test_a_rerun_is_refused(option: str) -> None:
    with pytest.raises(UserError, match="would read a pickle"):
        guard_hydra(["seed=1", option])


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The guard, for one test."""
    monkeypatch.setattr(hydra._internal.hydra, "ConfigLoaderImpl", ConfigLoaderImpl)  # to be put back
    guard_hydra()
    register()
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        yield


def composed(*overrides: str) -> DictConfig:
    return compose("config", list(overrides), return_hydra_config=True)


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (["hydra/job_logging=default"], "hydra.job_logging"),
        (["hydra/hydra_logging=default"], "hydra.hydra_logging"),
        (["hydra.job_logging={root:{handlers:[]}}"], "hydra.job_logging"),
        (["hydra.job_logging.root=${hydra.job.name}"], "hydra.job_logging"),
        (["+hydra.job.env_set.LD_PRELOAD=x.so"], "hydra.job.env_set"),
        (["hydra.job.env_copy=[HOME]"], "hydra.job.env_copy"),
        (["hydra.launcher._target_=os.system"], "hydra.launcher._target_ 'os.system' is no launcher"),
        (["hydra.launcher._target_=hydra._internal.core_plugins.basic_sweeper.BasicSweeper"], "is no launcher"),
        (["hydra.launcher=null"], "hydra.launcher._target_ None is no launcher"),
        (["hydra.launcher=5"], "hydra.launcher must be a node of its own"),
        (["hydra.launcher=${hydra.sweeper}"], "hydra.launcher must be a node of its own"),
        (["hydra.sweeper._target_=builtins.eval"], "hydra.sweeper._target_ 'builtins.eval' is no sweeper"),
        (["hydra.run.dir=elsewhere"], "hydra.run.dir"),
        (["hydra.run.dir=${output_root}"], "hydra.run.dir"),
        (["hydra.sweep.dir=elsewhere"], "hydra.sweep.dir"),
        (["hydra.sweep.subdir=../../elsewhere"], "hydra.sweep.subdir"),
        (["hydra.output_subdir=elsewhere"], "hydra.output_subdir"),
        (["hydra.job.chdir=true"], "hydra.job.chdir"),
        (["+hydra.launcher.submitit_folder=elsewhere"], "hydra.launcher.submitit_folder"),
        (["+hydra.launcher.submitit_folder=${hydra.sweep.dir}/../../elsewhere"], "hydra.launcher.submitit_folder"),
        (["hydra.searchpath=[pkg://antigravity]"], "pkg://antigravity is not searched"),
        (["hydra.searchpath=[structured://antigravity]"], "structured://antigravity is not searched"),
        (["+hydra.callbacks.mine={_target_:igbaselines.attribution.GaussLegendre,steps:3}"], "hydra.callbacks"),
        (["hydra.callbacks=${hydra.job.env_set}"], "hydra.callbacks cannot be set"),
        (["+hydra.launcher.deeper='\\${trap}'"], "'${trap}' is not allowed"),
    ],
)
def test_what_the_guard_refuses_in_a_configuration(overrides: list[str], key: str) -> None:
    with pytest.raises(UserError) as error:
        composed(*overrides)
    assert key in str(error.value)
    assert "\n" not in str(error.value)


EVIL = "touch /tmp/pwned"


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Configurations of somebody else's, and a launcher of the user's own."""
    files = {
        "scale/setup.yaml": f"# @package _global_\ndefaults: [smoke]\nhydra: {{launcher: {{setup: ['{EVIL}']}}}}\n",
        "scale/more.yaml": "# @package _global_\ndefaults: [smoke]\nhydra: {launcher: {partition: theirs}}\n",
        "scale/options.yaml": "# @package _global_\nhydra: {launcher: {additional_parameters: {wrap: theirs}}}\n",
        "hydra/launcher/mine.yaml": "defaults: [slurm]\nsetup: [module load cuda]\npartition: gpu\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return f"hydra.searchpath=[file://{tmp_path}]"


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["scale=setup"], "hydra.launcher.setup can be set in the launcher's own file"),
        (["scale=more"], "hydra.launcher.partition can be set in the launcher's own file"),
        (["scale=options"], "hydra.launcher.additional_parameters can be set"),
        ([f"hydra.launcher.setup=['{EVIL}']"], "hydra.launcher.setup can be set in the launcher's own file"),
        ([f"+hydra.launcher.setup=['{EVIL}']"], "hydra.launcher.setup"),
        (["hydra.launcher.setup=null"], "hydra.launcher.setup"),
    ],
)
def test_no_line_of_a_job_script_comes_from_elsewhere(overrides: list[str], words: str, folder: str) -> None:
    with pytest.raises(UserError) as error:
        composed("hydra/launcher=slurm", folder, *overrides)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("guarded")
def test_the_launchers_own_file_and_the_command_line_say_how_jobs_run(folder: str) -> None:
    launcher = composed("hydra/launcher=mine", folder, "hydra.launcher.partition=cpu", "+hydra.launcher.nice=1")
    assert launcher.hydra.launcher.setup == ["module load cuda"]
    assert launcher.hydra.launcher.partition == "cpu"


@pytest.mark.usefixtures("guarded")
def test_what_the_guard_lets_pass(tmp_path: Path) -> None:
    (tmp_path / "scale").mkdir()
    composed(
        "experiment=hep_baselines",
        "output_root=elsewhere",
        f"hydra.searchpath=[file://{tmp_path}]",
        "+hydra.launcher.submitit_folder=${hydra.sweep.dir}/.submitit/%j",
        "hydra.verbose=true",
    )


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("kind", [ObjectType.CONFIG, ObjectType.GROUP])
def test_groups_have_the_options_that_hydra_finds_without_its_copies(kind: ObjectType, tmp_path: Path) -> None:
    (tmp_path / "scale").mkdir()
    (tmp_path / "scale" / "giant.yaml").touch()
    elsewhere = [f"hydra.searchpath=[file://{tmp_path}]"]
    loader = GlobalHydra.instance().config_loader()
    assert isinstance(loader, GuardedLoader)
    for group in ("", "scale", "scale/sizes", "hydra", "hydra/launcher", "schema"):
        assert loader.get_group_options(group, kind) == super(GuardedLoader, loader).get_group_options(group, kind)
    asked_elsewhere = loader.get_group_options("scale", ObjectType.CONFIG, overrides=elsewhere)
    assert asked_elsewhere == ["demo", "full", "giant", "paper", "smoke"]


@pytest.mark.usefixtures("guarded")
def test_our_launchers_may_be_chosen_and_no_others() -> None:
    choices = GlobalHydra.instance().config_loader().get_group_options("hydra/launcher")
    assert {"serial", "local", "slurm", "basic", "submitit_local"} <= set(choices)
    for choice in choices:
        if choice in ("serial", "local", "slurm"):
            assert "_target_" in composed(f"hydra/launcher={choice}").hydra.launcher
        else:  # submitit's own read pickles from where the results are
            with pytest.raises(UserError, match="no launcher that can be taken"):
                composed(f"hydra/launcher={choice}")


HOW = pytest.mark.parametrize("how", ["{key}={{_target_:os.mkdir,path:'{made}'}}", "{key}=${{trap}}"])


def with_a_trap(how: str, key: str, made: Path) -> DictConfig:
    return composed(f"+trap={{_target_:os.mkdir,path:'{made}'}}", how.format(key=f"+{key}", made=made))


def launcher_of(config: DictConfig) -> Launcher:
    context = HydraContext(GlobalHydra.instance().config_loader(), Callbacks())
    return Plugins.instance().instantiate_launcher(context, lambda _: None, config)


@HOW
@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("key", ["hydra.callbacks.mine", "hydra.callbacks.mine.deeper"])
def test_no_callback_is_called_that_is_not_ours(how: str, key: str, made: Path) -> None:
    with pytest.raises(UserError, match=MKDIR_REFUSED):
        Callbacks(with_a_trap(how, key, made))
    assert not made.exists()


@HOW
@pytest.mark.usefixtures("guarded")
def test_nothing_in_a_launcher_is_called(how: str, made: Path) -> None:
    with pytest.raises(UserError, match=MKDIR_REFUSED):
        launcher_of(with_a_trap(how, "hydra.launcher.deeper", made))
    assert not made.exists()


@pytest.mark.usefixtures("guarded")
def test_a_launcher_is_built_as_before() -> None:
    assert type(launcher_of(composed("hydra/launcher=local"))).__name__ == "LocalLauncher"

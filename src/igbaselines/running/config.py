"""From YAML and the command line to checked values: schemas, and errors in one line."""

import difflib
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, make_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from igbaselines.common.errors import RunFailedError, UserError, is_about_the_place
from igbaselines.common.extras import what_to_install
from igbaselines.common.files import as_path, check_file_name
from igbaselines.common.places import PROJECT_ROOT, place
from igbaselines.common.values import SEED, check_values, value
from igbaselines.running.study import experiments, find_experiment, look_up, schemas

CLAIMS_ROOT = PROJECT_ROOT / "conf" / "claims"  # a file a paper
ACTIONS = ("run", "report", "paper", "status", "export")
FULL_ERROR = "HYDRA_FULL_ERROR"  # environment: set by a user who wants tracebacks
# What is no longer there, and what to type now.
NOW = {
    "hydra/launcher=joblib": "hydra/launcher=local",
    "hydra.launcher.n_jobs": "hydra.launcher.processes",
    "attribution.rule.steps": "attribution.rule.n_steps",
    "internal_batch_size": "max_batch",
}
DEFAULT_WEIGHTS = "IMAGENET1K_V1"  # of torchvision's networks: what a name without weights stands for


@dataclass
class ShardKeys:
    """Which part of a run's units a job works on; see `igbaselines.running.context.RunShard`."""

    count: int = field(default=1, metadata=value("[1, 10000]"))
    index: int | None = field(default=None, metadata=value("[0, )"))


@dataclass
class Config:
    """What every run has; the groups bring the schemas of their own parts.

    Args:
        experiment: name of the study, set by `experiment=<name>`.
        dataset_name: the chosen dataset, for labels and rows.
        model_name: the chosen model, for labels and rows.
        scale: smoke, demo, full or paper.
        seed: of everything random in the run but the events, which have `dataset.seed`.
        methods: attribution methods beside those of the attribution, by name: `methods=[idgi, shapley_ig]`.
        metrics: metrics beside those of the experiment, by name.
        plugins: Python files of the user's that the configuration may take classes from; of the command line alone.
        action: `run`; `report` rebuilds the report from outputs, `paper` its articles alone, `status` prints what is
            there and what is not, `export` makes an archive of each run that is complete.
        force: run again what is complete.
        output_root: folder of the run folders.
        data_root: folder of generated and downloaded data.
        device: auto, cpu, cuda, cuda:1, ...
        max_batch: gradient points in one pass; null chooses it from the memory there is.
        units_at_once: photographs that are worked on side by side; null chooses it by the device.
        fast_paths: false takes networks as they were trained, by autograd, instead of copies made for gradients.
        workers: processes that make data; 0 takes one a core.
        shard: the part of the run that this job works on.
    """

    experiment: str = MISSING
    dataset_name: str | None = MISSING
    model_name: str | None = MISSING
    scale: str = MISSING
    seed: int = field(default=MISSING, metadata=value(SEED))
    dataset: Any = None
    model: Any = None
    attribution: Any = None
    evaluation: Any = MISSING
    methods: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    plugins: list[str] = field(default_factory=list)
    action: str = MISSING
    force: bool = MISSING
    output_root: str = MISSING
    data_root: str = MISSING
    device: str = MISSING
    max_batch: int | None = field(default=MISSING, metadata=value("[1, )"))
    units_at_once: int | None = field(default=MISSING, metadata=value("[1, )"))
    fast_paths: bool = MISSING
    workers: int = field(default=MISSING, metadata=value("[0, 10000]"))
    shard: ShardKeys = field(default_factory=ShardKeys)


# How a run is carried out, not what it computes: these keys do not enter the name of its folder.
RUN_TIME_KEYS = (
    *("action", "force", "output_root", "data_root", "device", "max_batch", "units_at_once", "fast_paths", "workers"),
    "shard",
)


def register() -> None:
    """Put the schemas into Hydra's store and the project's folder at the disposal of the YAML files."""
    OmegaConf.register_new_resolver("project", lambda path: str(PROJECT_ROOT / path), replace=True)
    OmegaConf.register_new_resolver("place", lambda kind: str(place(kind)), replace=True)
    OmegaConf.register_new_resolver("absolute", absolute, replace=True)
    store = ConfigStore.instance()
    store.store(name="base_config", node=Config)
    for name, target in schemas().items():
        cls = look_up(target)
        schema = make_dataclass(cls.__name__, [("_target_", str, field(default=target))], bases=(cls,))
        store.store(group="schema", name=name, node=schema)


def resolve(config: DictConfig) -> dict[str, Any]:
    """Return the configuration as plain values, with absolute folders.

    Raises:
        UserError: for a missing value, an action or experiment that does not exist, or a name that is no file's.
    """
    _check_keys(config)
    if config.action not in ACTIONS:
        raise UserError(f"action={config.action} is unknown: {' or '.join(ACTIONS)}")
    if config.action == "run" and OmegaConf.is_missing(config, "experiment"):
        raise UserError(f"choose an experiment: experiment={' or experiment='.join(experiments())}")
    if config.action == "run":
        find_experiment(config.experiment)
    check_values("", Config, {key: config[key] for key in ("seed", "max_batch", "units_at_once", "workers")})
    check_values("shard", ShardKeys, config.shard)
    for key in ("output_root", "data_root"):
        config[key] = absolute(config[key])
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=config.action == "run")
    except OmegaConfBaseException as error:
        raise UserError(one_line(error)) from error
    assert isinstance(plain, dict)
    named = {str(key): value for key, value in plain.items()} | {"model_name": _model_name(plain)}
    for key in ("dataset_name", "model_name", "scale"):  # of which the run's folder has its name
        if config.action == "run" and named.get(key) is not None:
            check_file_name(key, named[key])
    return named


def check_kinds(experiment: str, settings: Mapping[str, object]) -> None:
    """Check that an experiment's `run` takes such a dataset, model, attribution and evaluation, by its signature.

    Raises:
        UserError: naming what came and what would do.
    """
    hints = get_type_hints(look_up(find_experiment(experiment).run))
    for name, found in settings.items():
        if isinstance(found, kind := hints.get(name, object)):
            continue
        came = "nothing" if found is None else type(found).__name__
        if kind is type(None):
            raise UserError(f"experiment={experiment} takes no {name}, not even {came}: leave {name}=... out")
        raise UserError(
            f"{name}: {came} does not fit experiment={experiment}: choose from {', '.join(_options(name, kind))}"
        )


def _options(group: str, kind: Any) -> list[str]:  # noqa: ANN401 (a class, or a union)
    """The files of a group whose schema is of a kind."""
    found = []
    for path in sorted((PROJECT_ROOT / "conf" / group).glob("*.yaml")):
        schema = re.search(r"/schema/(\w+)@_here_", path.read_text(encoding="utf-8"))
        if schema and issubclass(look_up(schemas()[schema[1]]), kind):
            found.append(path.stem)
    return found


def absolute(path: str) -> str:
    """A folder of the configuration's, with `~` for the user's own."""
    return str(as_path(path).absolute())


def _check_keys(config: DictConfig, place: str = "") -> None:
    """Refuse what `+key=...` has added where a schema says which keys there are: nobody would read it."""
    schema = OmegaConf.get_type(config)
    unknown = set(config) - {one.name for one in fields(schema)} if is_dataclass(schema) else ()
    if unknown:
        name = min(map(str, unknown))
        raise UserError(f"unknown key {place}{name}{_suggestion(name, config)}")
    for name in map(str, config):
        if isinstance(node := config._get_node(name), DictConfig) and not (node._is_missing() or node._is_none()):
            _check_keys(node, f"{place}{name}.")


def _model_name(plain: Mapping[Any, Any]) -> str | None:
    """The network's own name where its file builds many: `model=resnet50 model.architecture=...` is no ResNet50."""
    model = plain.get("model")
    if not isinstance(model, Mapping) or "architecture" not in model:
        return plain.get("model_name")
    name = str(model["architecture"]).replace("/", "_")
    other_weights = model.get("weights", DEFAULT_WEIGHTS) != DEFAULT_WEIGHTS and model["checkpoint"] is None
    return f"{name}-{model['weights']}" if other_weights else name


def one_line(error: BaseException) -> str:
    """Say in one line what a configuration error means, with the nearest right name where a name was wrong."""
    text = str(error)
    if isinstance(error, ImportError) and (line := what_to_install(error)):
        return line
    if "'hydra/launcher/slurm_parameters'" in text:  # which need the package
        return what_to_install(ImportError(name="submitit")) or text
    if unknown := re.search(r"Could not override '(\S+)'", text):
        cause = error.__cause__
        near = ""
        if "reference_type=Dict[str, " in str(cause) and isinstance(cause, OmegaConfBaseException):
            return f"{cause.full_key} is a name of your own: names that are new there take a +, +{cause.full_key}=..."
        if isinstance(cause, OmegaConfBaseException) and isinstance(cause.parent_node, DictConfig):
            near = _suggestion(str(cause.key), cause.parent_node)
        return _gone(unknown[1]) or f"unknown key {unknown[1]}{near}"
    if swept := re.search(r"Ambiguous value for argument '(.+?)=(.*)'\n", text):
        key, value = swept.groups()
        return f"{key}={value} has a comma: a list is {key}=[{value}], text \"{key}='{value}'\", a sweep needs -m"
    if swept := re.search(r"Sweep parameters '(.+?)=(.*)' requires --multirun", text):
        return f"{swept[1]}={swept[2]} is a sweep, which needs -m; if it is text: {quoted(*swept.groups())}"
    if missing := re.search(r"Could not find '(\S+)/(\S*)'", text):
        options = re.findall(r"^\t(?!provider=)(\S+)", text, re.MULTILINE)
        choice = f"{missing[1]}={missing[2]}"
        close = difflib.get_close_matches(missing[2], options, n=1)
        meant = f"did you mean {close[0]}? There are" if close else "choose from"
        return _gone(choice) or f"{choice} does not exist: {meant} {', '.join(options)}"
    if missing := re.search(r"Could not load '(methods|metrics|tasks)/([^']+)'", text):
        own = ConfigStore.instance().repo.get(missing[1], {})  # of plugins
        files = (PROJECT_ROOT / "conf" / missing[1]).glob("*.yaml")
        known = sorted({Path(name).stem for name in own} | {path.stem for path in files})
        return f"{missing[1]}=[{missing[2]}] is unknown: choose from {', '.join(known)}, or give --config-dir=FOLDER"
    if misfit := re.search(r"(?s)In '(\S+)': ConfigKeyError .*?Key '(\w+)' not in '(\w+)'", text):
        return f"{misfit[3]} does not fit this experiment: {misfit[1]} sets {misfit[2]}, which it does not have"
    if "Error merging override" in text and error.__cause__ is not None:
        text = f"{text}: {str(error.__cause__).splitlines()[0]}"
    if misread := re.search(r"Error merging override (\S+?)=(.*): (Cannot convert '(?:list|dict)' to string)", text):
        return f"{misread[1]}={misread[2]}: {misread[3]}; if it is text: {quoted(misread[1], misread[2])}"
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key} has no value: give {error.full_key}=..."
    return " ".join(text.split()) or type(error).__name__


def quoted(key: str, value: str) -> str:
    """What to type in a shell for `value` to be text, whatever Hydra would make of it."""
    word = f"{key}={QuotedString(value, Quote.single).with_quotes()}"
    return shlex.quote(word) if re.search(r'["$`!\\]', word) else f'"{word}"'


def explanation(error: BaseException) -> tuple[str | None, int]:
    """The line that tells the user what to mend, and the exit code; no line for an error of ours."""
    if isinstance(error, UserError | RunFailedError):
        return " ".join(str(error).splitlines()), 2 if isinstance(error, UserError) else 1
    if isinstance(error, HydraException | OmegaConfBaseException):
        return one_line(error), 2
    if isinstance(error, ImportError) and (line := what_to_install(error)):
        return line, 2
    if is_about_the_place(error):
        assert isinstance(error, OSError)
        return f"{error.filename or 'the output or data folder'}: {error.strerror or one_line(error)}", 1
    return None, 1


def _gone(name: str) -> str | None:
    return f"{name} is gone: give {NOW[name]} instead" if name in NOW else None


def _suggestion(key: str, node: DictConfig) -> str:
    """The nearest right name: in the node where it was looked for, else anywhere in the configuration."""
    own = node._get_full_key(key)
    beside = {str(name).lower(): str(name) for name in node if name != key}
    anywhere = {path.rpartition(".")[2].lower(): path for path in _paths(node._get_root()) if path != own}
    for names, cutoff in ((beside, 0.6), (anywhere, 0.8)):
        if near := difflib.get_close_matches(key.lower(), names, n=1, cutoff=cutoff):
            return f": did you mean {names[near[0]]}?"
    return ""


def _paths(node: Any, place: str = "") -> list[str]:  # noqa: ANN401 (any node)
    """The keys of a configuration in full, but Hydra's own."""
    if not isinstance(node, DictConfig) or node._is_missing() or node._is_none() or node._is_interpolation():
        return [place] if place else []
    names = [str(name) for name in node if place or name != "hydra"]
    return [path for name in names for path in _paths(node._get_node(name), f"{place}.{name}" if place else name)]

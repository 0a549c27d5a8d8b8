"""A network of the user's that is there already: explained as it is, importable without torch.

Its inputs are features by name, scaled as it was trained with; of several outputs one class is explained against
others.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igbaselines.common.errors import UserError
from igbaselines.common.files import as_path, sha256
from igbaselines.common.values import check_values, value
from igbaselines.running.plugins import check_named_network, network_path

if TYPE_CHECKING:
    import torch

    import igbaselines.studies.hep.networks.explained

OUTPUTS = ("logits", "probabilities")


@dataclass(kw_only=True)
class OwnNetwork:
    """What every network of the user's says of itself; one in Python derives from it and has `build`."""

    inputs: list[str] = field(
        default_factory=list
    )  # features in the order that it takes them; none: all of the events'
    # A JSON file of what each input is standardised by, {"mean": [...], "scale": [...]}, as scikit-learn's scalers have
    # them, or tables by name; None: it takes inputs as they are
    scaler: str | None = field(default=None, metadata=value(file=True))
    outputs: str = field(default="logits", metadata=value(choices=OUTPUTS))  # what it gives, of one class or of several
    signal: list[int] = field(default_factory=lambda: [0], metadata=value("[0, )", distinct=True))  # classes explained
    # Against which: none is all others, their probabilities added up; one is the log-ratio of two outputs
    against: list[int] = field(default_factory=list, metadata=value("[0, )", distinct=True))
    # What a scale says of training, whichever network is chosen: nothing is trained here
    max_epochs: int | None = None
    patience: int | None = None

    def __post_init__(self) -> None:
        check_values("model", type(self), vars(self))
        if not self.signal or (both := set(self.signal) & set(self.against)):
            said = f"has {min(both)}, which is explained" if self.signal else "is explained, which is no class"
            raise UserError(f"model.against {said}: model.signal and model.against name different classes")

    def domain(self) -> str:
        """The domain whose model it can be (`igbaselines.running.study.OfDomain`)."""
        return "hep"

    def checksum(self) -> str | None:
        """Checksum of the files that it is made of: others make another result."""
        files = [path for path in (self.file(), self._scaler_path()) if path is not None]
        return "-".join(sha256(path) for path in files) or None

    def file(self) -> Path | None:
        """The file of its weights, if it has one."""
        return None

    def build(self) -> "torch.nn.Module":
        """The network, from scaled inputs (m, inputs) to (m,), (m, 1) or (m, classes)."""
        raise NotImplementedError

    def classifier(
        self, features: Sequence[str], device: "torch.device"
    ) -> "igbaselines.studies.hep.networks.explained.ExplainedClassifier":
        """From features in physical units to the logit of being signal.

        Raises:
            UserError: where the scaler is not of these inputs, or the network does not take them.
        """
        from igbaselines.studies.hep.networks.explained import ExplainedClassifier

        mean, scale = ([0.0] * len(features), [1.0] * len(features))
        if (path := self._scaler_path()) is not None:
            content = _scaler(path)
            mean, scale = (_numbers(path, key, content[key], features) for key in ("mean", "scale"))
            if not all(scale):
                raise UserError(f"{path}: model.scaler divides by 0, constant features have a scale of 1")
        network = ExplainedClassifier(self.build(), mean, scale, self.outputs, self.signal, self.against)
        return network.on(device)

    def _scaler_path(self) -> Path | None:
        return None if self.scaler is None else as_path(self.scaler)


@dataclass(kw_only=True)
class OwnNetworkFile(OwnNetwork):
    """A network that was saved whole, by `torch.jit.save` or, for batches of any size, by `torch.export.save`."""

    network_file: str = field(metadata=value(file=True))  # with its code: the command line alone names it

    def __post_init__(self) -> None:
        super().__post_init__()
        check_named_network(self.network_file)

    def file(self) -> Path:
        """The file."""
        return network_path(self.network_file)

    def build(self) -> "torch.nn.Module":
        """The network."""
        from igbaselines.models.saved import saved_network

        return saved_network(self.file())


def _scaler(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: model.scaler cannot be read as JSON ({error})") from error
    if not isinstance(content, dict) or not {"mean", "scale"} <= content.keys():
        raise UserError(f'{path}: model.scaler must hold {{"mean": [...], "scale": [...]}}, one number an input')
    return content


def _numbers(path: Path, key: str, given: Any, features: Sequence[str]) -> list[float]:  # noqa: ANN401 (JSON)
    """A number for each feature, from a list in their order or a table by name."""
    if isinstance(given, dict):
        if missing := [name for name in features if name not in given]:
            raise UserError(f"{path}: {key} of model.scaler has no {', '.join(missing)}: model.inputs lists the inputs")
        given = [given[name] for name in features]
    if not isinstance(given, list) or len(given) != len(features):
        count = len(given) if isinstance(given, list) else 0
        raise UserError(f"{path}: {key} of model.scaler has {count} numbers for {len(features)} inputs (model.inputs)")
    if not all(isinstance(one, int | float) and abs(one) < float("inf") for one in given):
        raise UserError(f"{path}: {key} of model.scaler holds something that is no finite number")
    return [float(one) for one in given]

"""Every block of code in README and docs/ is run by a test, and every command is one that there is.

Long commands are tried as far as their configuration. README, docs/captum.md and docs/extending.md have tests of their
own, which run all of what stands there.
"""

import doctest
import importlib
import re
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import yaml

from igbaselines.models.inference import for_gradients
from igbaselines.models.standardise import Standardise
from igbaselines.studies.hep.networks.dnn import DNN
from tests import prepared
from tests.commands import ROOT

PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8").replace("\\\n", " ")
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
}
# Which test runs the blocks of a page; whoever writes another block says here what runs it.
TESTED = {
    "README.md": {"python": "tests/test_readme.py"},
    "docs/captum.md": {"python": "tests/library/test_captum_page.py"},
    "docs/extending.md": dict.fromkeys(("python", "yaml"), "tests/test_extending.py")
    | {"toml": "tests/running/test_plugins.py"},
    "docs/speed.md": {"python": "tests/test_code_blocks.py"},
    "docs/torch_batch_norm.md": {"python": "tests/attribution/engine/test_layers.py"},
    "docs/cluster.md": {"yaml": "tests/test_code_blocks.py"},
    "docs/ntuple.md": dict.fromkeys(("python", "yaml"), "tests/test_ntuple_page.py"),
    "docs/photographs.md": {"python": "tests/test_photographs_page.py"},
    **{page: {"yaml": "tests/test_write_cards.py"} for page in PAGES if re.match(r"docs/cards/(?!README)", page)},
}
LINES = [
    (page, line) for page, text in PAGES.items() for line in re.findall(r"^ {4,}(?:\$ )?(.*)$", text, re.MULTILINE)
]
INLINE = [(page, code) for page, text in PAGES.items() for code in re.findall(r"`([^`\n]+)`", text)]
OWN = ("README.md", "docs/extending.md", "docs/ntuple.md", "docs/photographs.md")  # whose commands their own tests try
RUNS = sorted(
    {
        command
        for page, line in LINES + INLINE
        if page not in OWN and re.match(r"(\.venv/bin/)?python run\.py \S", line) and " ..." not in f"{line} "
        if (command := re.split(r"\s+#", line)[0].removeprefix(".venv/bin/").strip()) not in PAGES["README.md"]
    }
)


def test_every_block_has_a_test() -> None:
    found = {
        page: dict.fromkeys(kinds)
        for page, text in PAGES.items()
        if (kinds := re.findall(r"^ *```(\w+)$", text, re.MULTILINE))
    }
    assert {page: set(kinds) for page, kinds in found.items()} == {page: set(kinds) for page, kinds in TESTED.items()}
    assert all((ROOT / test).exists() for kinds in TESTED.values() for test in kinds.values())


WITH_EXAMPLES = [
    ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
    for path in sorted((ROOT / "src").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_in_docstrings(module: str) -> None:
    found = doctest.testmod(importlib.import_module(module))
    assert found.attempted
    assert not found.failed


def test_modules_scripts_and_targets_are_there() -> None:
    words = "\n".join(code for _, code in LINES + INLINE)
    modules = set(re.findall(r"python -m ([\w.]+)", words))
    assert {"benchmarks.bench", "benchmarks.fewer"} <= modules
    assert [module for module in modules if find_spec(module) is None] == []
    paths = set(re.findall(r"(?:python |^)(scripts/[\w/]+\.\w+)", words, re.MULTILINE))
    paths |= set(re.findall(r"\b(tests/[\w/]+(?:\.py)?)", words))
    assert [path for path in paths if not (ROOT / path).exists()] == []
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make (?:-j \d+ )?([a-z-]+)", words, re.MULTILINE)) <= targets


@pytest.mark.slow  # torch.compile takes long to import
def test_the_block_of_the_page_on_speed() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGES["docs/speed.md"], re.DOTALL)
    inputs = torch.randn(4, 5)
    network = DNN(Standardise(inputs.mean(0), inputs.std(0)), [8], 0.0).eval()
    names = {"torch": torch, "for_gradients": for_gradients, "network": network, "inputs": inputs}
    exec(compile(block, "docs/speed.md", "exec"), names)  # nothing is compiled before the first call
    torch.testing.assert_close(names["fast"](inputs), network(inputs))  # type: ignore[operator]


@pytest.fixture(scope="module")
def cluster_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`~/my_cluster` of the page, with the launcher that it shows, and what it says of one for a container."""
    block, of_container = re.findall(r"```yaml\n(.*?)```", PAGES["docs/cluster.md"], re.DOTALL)
    folder = tmp_path_factory.mktemp("my_cluster")
    (folder / "hydra" / "launcher").mkdir(parents=True)
    mine = re.sub("^   ", "", block, flags=re.MULTILINE)
    known = yaml.safe_load(mine)
    assert known["partition"] == "gpu"
    (folder / "hydra" / "launcher" / "mine.yaml").write_text(mine)
    (folder / "hydra" / "launcher" / "container.yaml").write_text(
        yaml.safe_dump(known | yaml.safe_load(of_container), sort_keys=False)
    )
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("command", RUNS)
def test_every_run_command_is_a_configuration(command: str, cluster_folder: Path) -> None:
    script, *words = shlex.split(command.replace("~/my_cluster", str(cluster_folder)))[1:]
    shown = [re.sub(r"=([^\[,]+),.*", r"=\1", word) for word in words if word != "-m"]  # --cfg shows one job of a sweep
    result = prepared.run([sys.executable, script, *shown, "--cfg", "job"], ROOT)
    assert result.returncode == 0, result.stderr
    assert "output_root" in result.stdout


@pytest.mark.slow
def test_a_launcher_for_a_container_is_a_configuration(cluster_folder: Path) -> None:
    words = ["--config-dir", str(cluster_folder), "hydra/launcher=container", "experiment=hep_baselines"]
    result = prepared.run([sys.executable, "run.py", *words, "--cfg", "hydra"], ROOT)
    assert result.returncode == 0, result.stderr
    assert "python: apptainer exec --nv --bind /data igbaselines.sif python" in result.stdout
    assert "module load apptainer" in result.stdout


def test_there_are_commands_to_try() -> None:
    assert len(RUNS) >= 12

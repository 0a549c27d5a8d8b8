"""The README's commands: each is tried as it stands there, the long ones only as far as their configuration."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests import prepared

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"python run\.py [^`#\n|]*[^`#\n| ]", README)))
TARGETS = sorted(set(re.findall(r"\bmake ([a-z-]+)", README)))


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_run_command_is_a_configuration(command: str) -> None:
    script, *arguments = shlex.split(command)[1:]
    assert "-m" not in arguments[1:], "argparse takes -m only before the overrides"
    arguments = [script, *(word for word in arguments if word != "-m")]  # --cfg shows one job of a sweep
    overrides = [re.sub(r"=([0-9]+),.*", r"=\1", word) for word in arguments]
    result = prepared.run([sys.executable, *overrides, *(() if "--cfg" in overrides else ("--cfg", "job"))], ROOT)
    assert result.returncode == 0, result.stderr
    assert "output_root" in result.stdout


def test_there_are_commands_to_try() -> None:
    assert len(COMMANDS) >= 6
    assert {"reproduce", "test", "bench"} <= set(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_every_make_target_exists_and_is_explained(target: str) -> None:
    assert run("make", "--dry-run", target).returncode == 0
    assert target == "help" or re.search(rf"^  {target} ", run("make", "help").stdout, re.MULTILINE)


def test_the_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    examples = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    for example in examples:
        exec(compile(example, "README.md", "exec"), {})
    said = capsys.readouterr().out
    assert len(examples) == 3
    assert "torch.Size([5, 10])" in said
    assert "ShapleySampling 0.9" in said


def test_what_the_readme_links_to_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("http")]
    assert links
    assert [link for link in links if not (ROOT / link.partition("#")[0]).exists()] == []

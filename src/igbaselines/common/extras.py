"""Which extra of the package brings what is not installed: `pip install igbaselines` alone brings the engine."""

from importlib.util import find_spec

# The modules that each extra of pyproject.toml brings, by which it is found out what is missing.
MODULES = {
    "runs": (
        *("filelock", "hydra", "jinja2", "markupsafe", "matplotlib", "mplhep", "omegaconf", "pandas", "PIL", "pyarrow"),
        *("rich", "safetensors", "scipy", "sklearn", "yaml"),
    ),
    "hep": ("awkward", "numexpr", "uproot"),
    "images": ("pycocotools", "skimage", "torchvision"),
    "samples": ("efficientnet_lite_pytorch", "foolbox"),
    "gridworld": ("shapiq",),
    "slurm": ("hydra_plugins.hydra_submitit_launcher", "submitit"),
    "mlflow": ("mlflow",),
    "pythia": ("awkward", "fastjet", "pythia8mc"),
}


def what_to_install(error: ImportError) -> str | None:
    """Say in one line what is missing and which extra brings it; None where none does."""
    missing = f"{error.name}."
    found = ((extra, name) for extra, names in MODULES.items() for name in names if missing.startswith(f"{name}."))
    return next((f'{name} is not installed: pip install "igbaselines[{extra}]"' for extra, name in found), None)


def require(extra: str) -> None:
    """Refuse to go on without what an extra brings; nothing is imported.

    Raises:
        ModuleNotFoundError: saying in one line what to install.
    """
    for name in MODULES[extra]:
        if find_spec(name) is None:
            raise ModuleNotFoundError(f'{name} is not installed: pip install "igbaselines[{extra}]"', name=name)

"""Runs of weighted_gradients and explain as their experiments leave them, with a truth that was put in."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from igbaselines.common.arrays import write_arrays
from igbaselines.studies.images.artifacts import ExplainedPhotograph
from tests.hep_rows import CLAIMS_ROOT

EG, WG, FILTERED, PERMUTED = (
    "expected_gradients",
    "weighted_gradients",
    "filtered_weighted_gradients",
    "permuted_weights",
)
BASELINES = ("black", "white", "grey", "noise_0", "noise_1", "photo_$1%_<b>")
# The AUC of deletion of WG without its m least fit baselines, relative to WG's: lowest at m = 3.
REMOVAL = (1.0, 0.95, 0.9, 0.84, 0.88, 0.93)
# WG's gain over EG by the masks of fitness and of metric: where they agree, and where they do not.
MASKS, OWN_GAIN, OTHER_GAIN = ("corner_mean", "black", "blur"), 0.3, -0.1
# Denser at the start, as the grids are: several points lie within one percent.
SHARES = tuple(float(share) for share in np.linspace(0, 1, 31) ** 2)

Row = dict[str, Any]


def make_rows(
    images: int = 40,
    model: str = "mobilenet_v2",
    dataset: str = "sample_photos",
    gain: float = 0.24,
    masks: bool = True,
    baselines: int = len(BASELINES),
    seed: int = 0,
    beside: bool = False,
) -> pd.DataFrame:
    """The rows of a run in which WG beats EG by `gain` in deletion and by a tenth in overlap, on every network.

    `beside`: with what a run measures only where it is asked to, areas by masks and the first crossing.

    An image's own level is far larger than the differences, so that only paired tests see them.
    """
    rng = np.random.default_rng(seed)
    names = [f"photo_{number:03d}.jpg" for number in range(images)]
    level = np.random.default_rng(1).lognormal(-2.5, 0.8, images)  # the images are the same in every run
    rows: list[Row] = []

    def add(metric: str, method: str, values: np.ndarray) -> None:
        known = {"metric": metric, "method": method}
        rows.extend(known | {"unit": name, "value": value} for name, value in zip(names, values, strict=True))

    factors = {EG: 1.0, WG: 1 - gain, FILTERED: (1 - gain) * 0.985, PERMUTED: 0.99}
    factors |= {"first_crossing": 1 - gain} if beside else {}
    factors |= {f"removed_{m}": (1 - gain) * REMOVAL[m] for m in range(1, min(6, baselines))}
    for method, factor in factors.items():
        add("deletion_auc", method, level * factor * rng.normal(1, 0.04, images))
        add("completeness_gap", method, rng.lognormal(-5, 1, images))
        add("weight_sum_gap", method, rng.lognormal(-18, 1, images))
        if masks:
            add("overlap_auc", method, np.clip(0.4 * (1.1 if factor < 0.9 else 1) + rng.normal(0, 0.02, images), 0, 1))
            add("pointing_game", method, (rng.uniform(size=images) < 0.6).astype(float))
    for method in (EG, WG):
        add("insertion_auc", method, np.clip(0.5 + level + rng.normal(0, 0.05, images), 0, 1))
        add("insertion_half_share", method, rng.uniform(0.3, 0.9, images))
        add("draw_variance", method, 0.3 * factors[method] * rng.lognormal(0, 0.2, images))
    add("largest_rise", "ig", rng.uniform(0.0, 0.2, images))
    for name, wobble in zip(names[:6], rng.lognormal(0, 0.2, (6, 3)), strict=False):
        for nodes, factor in zip((4, 16, 64), wobble, strict=True):
            known = {"method": WG, "unit": name, "k": nodes}
            rows.append(known | {"metric": "gap_at_nodes", "value": factor / nodes})
            rows.append(known | {"metric": "weight_shift_at_nodes", "value": (64 - nodes) / 1000})
    if beside:
        rows += _mask_rows(names, level, rng, masks)
    rows += _baseline_rows(names, baselines, rng, level if masks else None, beside)
    rows += _curve_rows(factors) + _selection_rows(images)
    known = {"experiment": "weighted_gradients", "dataset": dataset, "model": model, "seed": 0}
    return pd.DataFrame([known | row for row in rows]).astype({"k": "Int64", "value": float})


def _baseline_rows(
    names: list[str], count: int, rng: np.random.Generator, level: np.ndarray | None, crossing: bool
) -> list[Row]:
    """Later baselines need more pixels, and explain worse by themselves (with an outline; else nothing is known).

    `crossing`: half of them cross for the first time at half of the pixels.
    """
    rows: list[Row] = []
    for number, name in enumerate(names):
        d_alpha = rng.integers(200, 4000, count) * np.arange(1, count + 1)
        weights = (1 / d_alpha) / (1 / d_alpha).sum()
        kept = np.where(weights < 0.25 / count, 0, weights)
        for place, baseline in enumerate(BASELINES[:count]):
            known = {"method": "ig", "unit": name, "baseline": baseline}
            rows += [
                known | {"metric": "d_alpha", "value": d_alpha[place]},
                known | {"metric": "d_alpha_share", "value": d_alpha[place] / 50176},
                known | {"metric": "weight", "value": weights[place]},
                known | {"metric": "filtered_weight", "value": kept[place] / kept.sum()},
                known | {"metric": "completeness_gap", "value": 0.01 * (1 + place)},
                known | {"metric": "reached", "value": float(d_alpha[place] < 20000)},
            ]
            if crossing:
                rows.append(known | {"metric": "first_d_alpha", "value": d_alpha[place] / (1 + place % 2)})
                rows.append(known | {"metric": "first_step", "value": 1.0})
            if level is not None:
                worse = 1 + 0.1 * place
                rows.append(known | {"metric": "deletion_auc", "value": level[number] * worse * rng.normal(1, 0.02)})
                rows.append(known | {"metric": "overlap_auc", "value": 0.4 / worse * rng.normal(1, 0.02)})
    return rows


def _mask_rows(names: list[str], level: np.ndarray, rng: np.random.Generator, outlined: bool) -> list[Row]:
    """Areas by masks; those of deletion fall with the gain, those of insertion rise; overlap knows no mask."""
    rows: list[Row] = []
    for metric, sign in (("deletion_auc_by_mask", -1), ("insertion_auc_by_mask", 1)):
        for mask in MASKS:
            for number, name in enumerate(names):
                known: Row = {"metric": metric, "unit": name, "metric_mask": mask}
                rows.append(known | {"method": EG, "value": level[number]})
                for fitness in MASKS:
                    gain = OWN_GAIN if fitness == mask else OTHER_GAIN
                    value = level[number] * (1 + sign * gain * rng.normal(1, 0.05))
                    rows.append(known | {"method": WG, "fitness_mask": fitness, "value": value})
    for name in names if outlined else ():
        known = {"metric": "overlap_auc_by_mask", "unit": name}
        rows.append(known | {"method": EG, "value": 0.4})
        rows += [
            known | {"method": WG, "fitness_mask": fitness, "value": 0.44 + rng.normal(0, 0.01)} for fitness in MASKS
        ]
    return rows


def _curve_rows(factors: Mapping[str, float]) -> list[Row]:
    rows: list[Row] = []
    for kind, methods in (("deletion", (EG, WG, FILTERED)), ("insertion", (EG, WG))):
        for method in methods:
            for k, share in enumerate(SHARES):
                fallen = float(np.exp(-100 * share / (8 * factors[method])))
                value = 0.85 * (fallen if kind == "deletion" else 1 - fallen)
                known = {"method": method, "unit": "mean", "k": k, "share": share}
                rows.append(known | {"metric": f"{kind}_curve", "value": value})
                rows.append(known | {"metric": f"{kind}_curve_sd", "value": 0.2 * value})
    return rows


def _selection_rows(images: int) -> list[Row]:
    known = {"method": "data", "unit": "all"}
    return [
        known | {"metric": "images_used", "value": images},
        known | {"metric": "images_left_out", "value": 7, "reason": "predicted wrongly"},
        known | {"metric": "images_left_out", "value": 2, "reason": "object <too> small"},
        known | {"metric": "top1", "method": "network", "value": 0.81},
    ]


def write_explanation(
    path: Path,
    image: np.ndarray | None = None,
    baselines: int = len(BASELINES),
    mask: bool = True,
    methods: tuple[str, ...] = (EG, WG, FILTERED),
    arrays: Mapping[str, Any] | None = None,
) -> Path:
    """An explanation whose object is a disc in the middle; maps are strong there; `arrays` take the place of others."""
    rng = np.random.default_rng(0)
    if image is None:
        image = rng.integers(0, 256, (24, 30, 3), dtype=np.uint8)
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width]
    disc = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(height, width) / 3) ** 2

    def noisy_map(count: int) -> np.ndarray:
        noise = rng.standard_t(3, (count, height, width))
        return np.asarray(noise * (0.2 + disc) + 0.6 * disc, dtype=np.float32)

    colours = np.array([[0, 0, 0], [255, 255, 255], [128, 128, 128]], dtype=np.uint8)
    pictures = rng.integers(0, 256, (baselines, height, width, 3), dtype=np.uint8)
    pictures[:3] = colours[:baselines, None, None]
    d_alpha = rng.integers(100, 20000, baselines)
    content: dict[str, Any] = {
        "image": image,
        "methods": np.array(methods),
        "maps": noisy_map(len(methods)),
        "baseline_names": np.array((BASELINES * 2)[:baselines], dtype=str),
        "baselines": pictures,
        "baseline_maps": noisy_map(baselines),
        "d_alpha": d_alpha,
        "weights": (1 / d_alpha) / (1 / d_alpha).sum(),
        "label": "golden retriever",
        "probability": 0.93,
        "mask": disc if mask else None,
    }
    write_arrays(path, ExplainedPhotograph(**(content | dict(arrays or {}))))
    return path


def make_config(rows: pd.DataFrame, scale: str = "demo", study: str = "tables", **attribution: Any) -> dict[str, Any]:
    """A resolved configuration, as far as the report reads it."""
    masked = {"_target_": "igbaselines.tasks.imputers.CornerMean", "share": 0.1}
    known = {
        "protocol": "paper",
        "ranking": "signed",
        "rule": {"_target_": "igbaselines.attribution.GaussLegendre", "steps": 32},
        "fitness_mask": masked,
        "baselines": {name: {"_target_": "igbaselines.attribution.image_baselines.Constant"} for name in BASELINES},
    }
    return {
        "experiment": "weighted_gradients",
        "scale": scale,
        "dataset_name": str(rows["dataset"].iloc[0]),
        "model_name": str(rows["model"].iloc[0]),
        "seed": 0,
        "dataset": {"_target_": "igbaselines.studies.images.data.sample_photos.SamplePhotos", "n_images": None},
        "model": {"architecture": str(rows["model"].iloc[0]), "checkpoint": None},
        "output_root": "/somewhere",
        "attribution": known | attribution,
        "evaluation": {"mask": masked, "ranking": "signed", "study": study},
    }


def complete_run(root: Path, label: str, rows: pd.DataFrame, config: Mapping[str, Any]) -> Path:
    """A complete run's folder under root, as the runner leaves it; `examples/` may lie there already."""
    from igbaselines.reporting.render import render_run

    folder = root / "weighted_gradients" / label
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(dict(config)))
    rows.to_parquet(folder / "rows.parquet", index=False)
    render_run(folder, rows, config, CLAIMS_ROOT)
    (folder / "provenance.json").write_text('{"git_commit": "abc"}')
    (folder / "status.json").write_text(json.dumps({"state": "complete"}))
    return folder

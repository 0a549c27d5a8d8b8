"""Which runs stand in one table: by every setting but the network's, and each network once."""

from typing import Any

import pandas as pd

from igbaselines.reporting.page.runs import Results
from igbaselines.studies.images.reporting.weighted.comparable import comparable_groups

ROWS = pd.DataFrame({"model": ["m"], "dataset": ["photos"]})


def run(label: str, network: str = "vgg16", study: str | None = "tables", **changed: Any) -> Results:
    """A run; `changed` are keys of the configuration, or nested mappings that are merged into it."""
    config: dict[str, Any] = {
        "scale": "demo",
        "seed": 0,
        "dataset_name": "photos",
        "dataset": {"n_images": 20},
        "model_name": network,
        "model": {"architecture": network, "checkpoint": None, "size": 224},
        "attribution": {"protocol": "paper", "ranking": "signed"},
        "evaluation": {"examples": 3} | ({"study": study} if study else {}),
        "output_root": "/here",
    }
    for key, value in changed.items():
        config[key] = config[key] | value if isinstance(value, dict) else value
    return Results(label, config, ROWS)


def grouped(*runs: Results) -> dict[str, list[str]]:
    return {group.name: [of.label for of in group.results] for group in comparable_groups(runs)}


def test_networks_and_what_changes_no_number_stay_together() -> None:
    runs = [
        run("a"),
        run("b", "resnet50-IMAGENET1K_V2", model={"size": 299}),
        run("c", "vgg19", output_root="/there", evaluation={"examples": 9}),
        run("d", "resnet50", study=None),  # an older run
    ]
    assert grouped(*runs) == {"demo": ["a", "b", "c", "d"]}
    (group,) = comparable_groups(runs)
    assert group.differs == ""
    assert group.words == "Scale demo, photos, protocol paper."


def test_names_tell_groups_apart_by_what_differs_between_them() -> None:
    released = {"protocol": "released code/2"}
    assert grouped(
        run("a"), run("b", attribution=released), run("c", dataset_name="coco"), run("d", scale="paper")
    ) == {
        "demo_photos_paper": ["a"],
        "demo_photos_released_code_2": ["b"],
        "demo_coco_paper": ["c"],
        "paper": ["d"],
    }


def test_no_protocol_is_no_protocol_by_the_name_of_none() -> None:
    (group,) = comparable_groups([run("a", attribution={"protocol": None})])
    assert (group.known(0)["protocol"], group.words) == ("", "Scale demo, photos, no named protocol.")


def test_any_other_setting_makes_a_group_that_says_so() -> None:
    runs = [run("a", dataset={"n_images": 50}), run("b"), run("c", "vgg19"), run("d", attribution={"rule": 4})]
    groups = {group.name: group for group in comparable_groups(runs)}
    assert {name: [of.label for of in group.results] for name, group in groups.items()} == {
        "demo": ["b", "c"],  # the most networks
        "demo_2": ["a"],
        "demo_3": ["d"],
    }
    assert "here: attribution.rule not set, dataset.n_images 50." in groups["demo_2"].differs
    assert groups["demo_3"].differs == (
        "One of 3 sets of runs that cannot be put together; here: attribution.rule 4, dataset.n_images 20."
    )


def test_a_network_stands_in_a_group_once() -> None:
    runs = [run("a", model={"checkpoint": "mine.pt"}), run("b"), run("c", "vgg19")]
    groups = {group.name: group for group in comparable_groups(runs)}
    assert [of.label for of in groups["demo"].results] == ["b", "c"]
    assert [of.label for of in groups["demo_2"].results] == ["a"]
    assert "model.checkpoint none (vgg16), model.checkpoint none (vgg19)" in groups["demo"].differs
    assert "here: model.checkpoint mine.pt (vgg16)." in groups["demo_2"].differs


def test_runs_that_differ_in_nothing_are_no_two_networks() -> None:
    runs = [run("a"), run("b", evaluation={"examples": 9})]
    assert grouped(*runs) == {"demo": ["a"], "demo_2": ["b"]}
    assert all("other runs of the same settings" in group.differs for group in comparable_groups(runs))


def test_an_ablation_is_one_group_of_what_it_varies_and_of_nothing_else() -> None:
    runs = [
        run("a", study="ablation"),
        run("b", study="ablation", attribution={"ranking": "magnitude"}),
        run("c", study="ablation", evaluation={"mask": "blur"}),
        run("d", study="ablation", seed=3),
        run("e", study="ablation", model={"checkpoint": "mine.pt"}),
        run("f"),
    ]
    groups = [(group.study, group.name, [of.label for of in group.results]) for group in comparable_groups(runs)]
    assert groups == [
        ("ablation", "demo", ["a", "b", "c"]),
        ("ablation", "demo_2", ["d"]),
        ("ablation", "demo_3", ["e"]),
        ("tables", "demo", ["f"]),
    ]

"""The page: it parses, holds every claim, runs nothing, fetches nothing, and lets no text become markup."""

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from igbaselines.common.errors import UserError
from igbaselines.reporting.page.beside import RUNS, for_page, shown_figures
from igbaselines.reporting.page.html import write_report
from igbaselines.reporting.page.rendering import MOST_ROWS, format_p, with_indices
from igbaselines.reporting.page.runs import FigureFile, ReportedRun
from igbaselines.reporting.papers import load_papers
from igbaselines.running.run_folder import RunFolder
from igbaselines.running.sweeps import Sweep, SweepRun, write_sweep
from tests.hep_rows import CLAIMS_ROOT

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Collects text, ids and sources; notes any tag that is not closed in order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.ids: set[str] = set()
        self.sources: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.ids |= {value} if name == "id" and value else set()
            self.sources += [value or ""] if name == "src" else []
            self.links += [value or ""] if name == "href" else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page(output_root: Path) -> Page:
    return Page(write_report(output_root).read_text(encoding="utf-8"))


def run_page(output_root: Path, *place: str) -> Page:
    """The page of a run, in a report that is there."""
    path = output_root.joinpath("report", RUNS, *place, "index.html")
    return Page(path.read_text(encoding="utf-8"))


def claim_ids(*experiments: str) -> set[str]:
    """The claims on some experiments, or all."""
    return {
        claim.id
        for paper in load_papers(CLAIMS_ROOT)
        for experiment, claims in paper.claims.items()
        if not experiments or experiment in experiments
        for claim in claims
    }


def note_sweep(root: Path, *runs: SweepRun) -> None:
    write_sweep(root, Sweep("python run.py -m seed=0,1,2", "local", runs))


@pytest.fixture(scope="module")
def outputs(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two complete runs, a failed one and a broken one."""
    root = tmp_path_factory.mktemp("report")
    for label in ("demo-1", "smoke-2"):
        shutil.copytree(run_folder, root / "hep_baselines" / label)
    for label, status in (
        ("failed-3", {"state": "failed", "traceback": "<script>alert(1)</script>"}),
        ("broken-4", 7),
    ):
        (root / "hep_baselines" / label).mkdir()
        (root / "hep_baselines" / label / "status.json").write_text(json.dumps(status))
    return root


def test_the_page_is_whole_and_holds_every_claim_and_run(outputs: Path) -> None:
    found = page(outputs)
    assert not found.open
    assert claim_ids() <= found.ids
    for label in ("demo-1", "smoke-2", "failed-3", "broken-4"):
        assert label in found.text
    assert "Constructing sensible baselines" in found.text
    assert "unreadable" in found.text
    assert "sweeps" not in found.ids
    assert "Next: the same command" in found.text


def test_what_is_not_tested_is_counted_one_way(outputs: Path) -> None:
    """In the first lines and in the section; and claims as claims.csv has them."""
    text = re.sub(r"\s+", " ", page(outputs).text)
    counts = r"(\d+) of (\d+) sentences of the papers, and of reviews of them: (\d+) have no test, and of (\d+) no run"
    said = re.search(counts, text)
    assert said is not None
    untested, every, without, silent = map(int, said.groups())
    assert untested == without + silent
    sections = re.findall(r"(\d+) of (\d+) sentences of [A-Z]", text)
    assert (untested, every) == tuple(sum(map(int, column)) for column in zip(*sections, strict=True))
    claims = pd.read_csv(outputs / "report" / "claims.csv")
    tested = claims[claims["verdict"] != "not tested"]["id"].unique()
    lacking = len(set(claims["id"]) - set(tested))
    assert f"{lacking} of {claims['id'].nunique()} claims have no run that tells" in text
    assert sum(map(int, re.findall(r"(\d+) claims? of \w+: ", text))) == lacking


def test_photographs_stand_side_by_side(tmp_path: Path) -> None:
    folder = tmp_path / "explain" / "mine-1"
    (folder / "figures").mkdir(parents=True)
    for name in ("dog", "dog_sheet", "curve"):
        Image.new("RGB", (2, 2)).save(folder / "figures" / f"{name}.png")
    (folder / "figures" / "dog_sheet.webp").write_bytes(b"a picture")
    for name, content in (("config.yaml", "{}"), ("provenance.json", "{}"), ("claims.json", "[]")):
        (folder / name).write_text(content)
    (folder / "status.json").write_text('{"state": "complete"}')
    source = write_report(tmp_path).read_text(encoding="utf-8")
    (gallery,) = re.findall(r'<div class="gallery">.*?</div>', source, re.DOTALL)
    assert re.findall(r'loading="lazy" src="[^"]*/(\w+)\.', gallery) == ["dog_sheet"]
    assert source.index("/curve.png") < source.index('<div class="gallery">')


def test_figures_lie_beside_the_page_and_nothing_else_is_fetched(outputs: Path) -> None:
    found = page(outputs)
    assert len(found.sources) == 12
    assert all((outputs / "report" / source).read_text(encoding="utf-8").startswith("<svg") for source in found.sources)
    assert not found.tags & {"link", "iframe", "object"}
    relative = [link for link in found.links if not link.startswith(("#", "https://arxiv.org/"))]
    assert all((outputs / "report" / link.partition("#")[0]).is_file() for link in relative)
    run = run_page(outputs, "hep_baselines", "demo-1")
    assert len(run.sources) == 6
    place = outputs / "report" / RUNS / "hep_baselines" / "demo-1"
    linked = [link.partition("#")[0] for link in run.sources + run.links if not link.startswith("#")]
    assert all((place / link).is_file() for link in linked)


def test_only_our_style_and_script_are_allowed(outputs: Path) -> None:
    text = write_report(outputs).read_text(encoding="utf-8")
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{digest}&#39;" in policy
    assert "unsafe" not in policy
    assert "default-src &#39;none&#39;" in policy
    assert not re.search(r"<[^>]* (?:style|on\w+)=", text)


def test_names_and_messages_stay_text(outputs: Path) -> None:
    found = page(outputs)
    assert "<script>alert(1)</script>" in found.text
    assert "a|b_<c>" in run_page(outputs, "hep_baselines", "demo-1").text  # a process, in the table of events


def test_every_run_has_a_line_for_every_claim(outputs: Path) -> None:
    write_report(outputs)
    table = pd.read_csv(outputs / "report" / "claims.csv")
    tested = table[table["experiment"] == "hep_baselines"]
    assert set(tested["run"]) == {"demo-1", "smoke-2"}
    assert len(tested) == 2 * len(claim_ids("hep_baselines"))
    assert not list((outputs / "report").glob(".*"))


def test_an_empty_folder_gives_a_page_that_says_what_to_run(tmp_path: Path) -> None:
    found = page(tmp_path / "outputs")
    assert "There are no runs yet" in found.text
    assert "python run.py experiment=hep_baselines" in found.text
    assert claim_ids() <= found.ids
    assert set(pd.read_csv(tmp_path / "outputs" / "report" / "claims.csv")["verdict"]) == {"not tested"}


def test_a_claim_that_only_a_run_knows_is_shown(run_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hep_baselines" / "old-1"
    shutil.copytree(run_folder, folder)
    records = json.loads((folder / "claims.json").read_text())
    (folder / "claims.json").write_text(json.dumps([records[0] | {"id": "9999.99999/old", "paper": "9999.99999"}]))
    found = page(tmp_path)
    assert {"9999.99999/old", "paper-9999.99999"} <= found.ids


def test_a_partial_sweep_shows_what_is_missing_and_why(tmp_path: Path) -> None:
    names = [("hep_baselines", f"demo-{seed}") for seed in range(3)]
    folders = [RunFolder(tmp_path, *name) for name in names]
    for folder in folders[:2]:
        folder.begin(afresh=False)
        (folder.attempt / "run.log").write_text("network <0>\n")
    folders[0].fail(ValueError("no <b>signal</b>"))
    note_sweep(tmp_path, *(SweepRun(f"seed={seed}", name) for seed, name in enumerate(names)))
    found = page(tmp_path)
    assert not found.open
    assert "sweeps" in found.ids
    assert "0 of 3 complete, 1 failed, 1 interrupted, 1 not begun" in found.text
    for words in ("no <b>signal</b>", "network <0>", "log: hep_baselines/.demo-1/attempt/run.log", "not begun: nobody"):
        assert words in found.text
    assert str(tmp_path) not in found.text.replace("python run.py -m", "")
    notes = pd.read_csv(tmp_path / "report" / "claims.csv").set_index("experiment")["note"]
    (reason,) = set(notes["hep_baselines"])
    assert "1 run failed: ValueError: no <b>signal</b>" in reason
    assert "1 run was interrupted: python run.py -m seed=0,1,2 goes on" in reason
    assert "1 run has not begun" in reason
    assert notes["shapley_gridworld"].unique() == [
        "no complete run has tested it yet: python run.py experiment=shapley_gridworld"
    ]


def test_a_complete_sweep_takes_a_line(outputs: Path, tmp_path: Path) -> None:
    shutil.copytree(outputs / "hep_baselines" / "demo-1", tmp_path / "hep_baselines" / "demo-1")
    note_sweep(tmp_path, SweepRun("seed=0", ("hep_baselines", "demo-1")))
    found = page(tmp_path)
    assert "1 of 1 complete: python run.py -m seed=0,1,2" in found.text
    assert "Next: " not in found.text


def test_symbols_get_their_indices_and_nothing_else_becomes_markup() -> None:
    assert with_indices("H_T, E_T^miss & B_bgw") == (
        "H<sub>T</sub>, E<sub>T</sub><sup>miss</sup> &amp; B<sub>bgw</sub>"
    )
    assert with_indices(r"$p_{T_\ell}$, $\cancel{E}_T$ at $k \sim 15$ for 5$ <b>") == (
        "p<sub>T</sub><sup>l</sup>, E<sub>T</sub><sup>miss</sup> at k ~ 15 for 5$ &lt;b&gt;"
    )
    assert with_indices("zero_physical <b>") == "zero_physical &lt;b&gt;"


def test_of_a_run_of_before_a_large_figure_is_shown_in_a_smaller_format(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 150, 3), dtype=np.uint8)
    small, large = tmp_path / "small.png", tmp_path / "large.png"
    Image.fromarray(noise[:20]).save(small)
    Image.fromarray(noise).save(large)
    assert for_page(small) == (small.read_bytes(), ".png")
    content, suffix = for_page(large)
    assert suffix == ".webp"
    assert len(content) < large.stat().st_size
    (tmp_path / "shown.webp").write_bytes(content)
    with Image.open(tmp_path / "shown.webp") as image:
        assert image.size == (150, 200)
        assert np.abs(np.asarray(image.convert("RGB"), int) - noise).mean() < 60
    hostile = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    small.with_suffix(".svg").write_text(hostile)
    assert for_page(small)[1] == ".png"
    small.with_suffix(".svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><g/></svg>")
    assert for_page(small)[1] == ".svg"


def test_many_figures_of_a_run_stay_in_its_folder(tmp_path: Path) -> None:
    def run_of(names: list[str]) -> ReportedRun:
        return ReportedRun(
            "explain", "mine-1", "complete", figures=[FigureFile(name, tmp_path, name) for name in names]
        )

    names = [f"figure_1_{number}" for number in range(1, 16)] + ["figure_2", "weights"]
    shown = [figure.name for figure in shown_figures(run_of(names))]
    assert shown == [names[0], "figure_2", "weights"]  # examples make room for what there is one of
    photographs = [f"dog_{number}" for number in range(15)]
    assert [figure.name for figure in shown_figures(run_of(photographs))] == photographs[:12]
    sheets = ["dog_0", "dog_0_sheet", "dog_1"]
    assert [figure.name for figure in shown_figures(run_of(sheets))] == ["dog_0_sheet", "dog_1"]


def test_the_page_says_how_many_figures_it_leaves_out(tmp_path: Path) -> None:
    folder = tmp_path / "explain" / "mine-1"
    (folder / "figures").mkdir(parents=True)
    for number in range(15):
        Image.new("RGB", (2, 2)).save(folder / "figures" / f"photo_{number:02d}.png")
    for name, content in (("config.yaml", "{}"), ("provenance.json", "{}"), ("claims.json", "[]")):
        (folder / name).write_text(content)
    (folder / "status.json").write_text('{"state": "complete"}')
    found = page(tmp_path)
    assert len(found.sources) == 12
    assert "3 more figures lie in the run's folder: explain/mine-1/figures" in found.text
    (folder / "figures" / "photo_14.png").unlink()
    for number in (12, 13):
        (folder / "figures" / f"photo_{number}.png").unlink()
    assert "lie in the run's folder" not in page(tmp_path).text


def test_p_values_are_short() -> None:
    assert [format_p(value) for value in (None, 0.0004, 0.0312, 1.0)] == [
        "",
        "p < 0.001",
        "p = 0.031",
        "p = 1",
    ]


def test_a_long_table_is_cut_and_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "explain" / "mine-1"
    (folder / "tables").mkdir(parents=True)
    (folder / "tables" / "long.csv").write_text("number\n" + "".join(f"{row}\n" for row in range(MOST_ROWS + 5)))
    for name, content in (("config.yaml", "{}"), ("provenance.json", "{}"), ("claims.json", "[]")):
        (folder / name).write_text(content)
    (folder / "status.json").write_text('{"state": "complete"}')
    page(tmp_path)
    found = run_page(tmp_path, "explain", "mine-1")
    assert f"The first {MOST_ROWS} of {MOST_ROWS + 5} rows" in found.text
    assert "explain/mine-1/tables/long.csv" in found.text


def test_runs_that_are_gone_or_have_no_room_leave_no_files(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for label in ("demo-1", "demo-2"):
        shutil.copytree(run_folder, tmp_path / "hep_baselines" / label)
    page(tmp_path)
    places = tmp_path / "report" / RUNS / "hep_baselines"
    assert {path.name for path in places.iterdir()} == {"demo-1", "demo-2"}
    shutil.rmtree(tmp_path / "hep_baselines" / "demo-1")
    page(tmp_path)
    assert {path.name for path in places.iterdir()} == {"demo-2"}
    monkeypatch.setattr("igbaselines.reporting.page.beside.ROOM", 0)
    found = page(tmp_path)
    assert not places.exists()
    assert "lie in hep_baselines/demo-2" in found.text
    assert not found.sources


@pytest.mark.slow
def test_many_runs_make_a_report_that_can_be_sent(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = 4_000_000
    monkeypatch.setattr("igbaselines.reporting.page.beside.ROOM", room)
    for number in range(40):
        shutil.copytree(run_folder, tmp_path / "hep_baselines" / f"demo-{number:03}")
    path = write_report(tmp_path)
    sizes = {file: file.stat().st_size for file in path.parent.rglob("*") if file.is_file() and file != path}
    largest = max(file.stat().st_size for file in path.parent.rglob(f"{RUNS}/*/*/*"))
    assert room < sum(sizes.values()) < room + 10 * largest
    assert path.stat().st_size < 1_500_000
    shown = Page(path.read_text(encoding="utf-8"))
    assert shown.sources
    assert all((path.parent / source).is_file() for source in shown.sources)
    assert all(f"demo-{number:03}" in shown.text for number in range(40))
    assert "lie in hep_baselines/demo-0" in shown.text


@pytest.mark.parametrize("name", ["report", "report/index.html/x", "report/claims.csv/x"])
def test_what_is_in_the_way_of_the_report_is_named(run_folder: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(run_folder, tmp_path / "hep_baselines" / "demo-1")
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(UserError, match="is in the way of the report"):
        write_report(tmp_path)
    assert (tmp_path / name).read_text() == "mine"

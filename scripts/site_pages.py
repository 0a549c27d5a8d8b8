"""Pages of the documentation that are no Markdown in docs/, for `mkdocs`: the README, notebooks, the runs' report.

Notebooks are shown with what their cells printed when they were saved. Links between these and docs/ are led to their
pages; to what is no page, such as a file of conf/, its name is enough.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from nbconvert import MarkdownExporter

REPORT = "[The page](runs/index.html) of the runs that were there when this site was built."
NO_REPORT = "There was none when this site was built: `make reproduce` makes it, and `make docs` takes it in."
RUNS = "runs"  # where the report of runs lies on the site
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^):#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    top = Path(config["config_file_path"]).parent
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(top / source).read_text(encoding="utf-8")))
    report = top / "outputs" / "report"
    told = REPORT if (report / "index.html").exists() else NO_REPORT
    files.append(File.generated(config, "your_report.md", content=f"# The report of your runs\n\n{told}\n"))
    for path in report.rglob("*.*"):
        name = (Path(RUNS) / path.relative_to(report)).as_posix()
        files.append(File.generated(config, name, content=path.read_bytes()))
    for notebook in sorted((top / "docs" / "notebooks").glob("*.ipynb")):
        own = {"unique_key": notebook.stem, "output_files_dir": f"{notebook.stem}_files"}
        exporter = MarkdownExporter()  # type: ignore[no-untyped-call]
        body, resources = exporter.from_filename(str(notebook), resources=own)
        files.append(File.generated(config, f"notebooks/{notebook.stem}.md", content=body))
        for name, content in resources["outputs"].items():
            files.append(File.generated(config, f"notebooks/{name}", content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead the links of a page to pages."""
    uri = page.file.src_uri
    here = "" if uri in PAGES.values() else posixpath.dirname(f"docs/{uri}")

    def led(found: re.Match[str]) -> str:
        mark, words, target, anchor = found.groups(default="")
        place = posixpath.normpath(posixpath.join(here, target))
        name = PAGES.get(place, place.removeprefix("docs/"))
        if place not in PAGES and not place.startswith("docs/"):
            return words
        return f"{mark}[{words}]({posixpath.relpath(name, posixpath.dirname(uri) or '.')}{anchor})"

    return LINK.sub(led, markdown)

"""Pages of the documentation that stand at the top of the checkout, for `mkdocs`: the README, the changelog and others.

Links between them and docs/ are led to their pages; to what is no page, such as a file of conf/, its name is enough.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^):#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    top = Path(config["config_file_path"]).parent
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(top / source).read_text(encoding="utf-8")))
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

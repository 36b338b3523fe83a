"""The hook of MkDocs: it adds the pages and pictures that are made of polyexp itself. None of them is committed."""

import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from docs.hooks.interface import interface_pages
from docs.hooks.notebook import NOTEBOOK, NOTEBOOK_PAGE, notebook_files
from docs.hooks.runs import TUTORIAL, draw_pictures
from docs.hooks.settings import reference_pages
from docs.hooks.shapes import lost_shapes

ROOT = Path(__file__).parents[2]
RUNS = ROOT / "build" / "docs" / "powers-of-x"
ELSEWHERE = {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}  # pages that stand beside docs/

LOADED_FROM_ELSEWHERE = re.compile(
    r"""<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)=["']?((?:https?:)?//[^"'\s>]+)"""
)
DRAWN = re.compile(r'<div class="(language-text [^"]*)">(?=(?:(?!</div>).)*[─│▼])', re.DOTALL)
OPTION = re.compile(r"<code>(?=--[\w-]{1,30}</code>)")
PICTURE = re.compile(r'<img [^>]*?src="([^"]+)"[^>]*>(?!\s*</a>)')
# What pages say where they are read without the site, and what they say in it.
LINKS = {
    f"({NOTEBOOK})": f"({NOTEBOOK_PAGE})",
    "(../CONTRIBUTING.md": "(contributing.md",
    "The reference of the site that `make docs` builds has": "The [reference of all settings](reference/index.md) has",
}
INTERFACE = "reference/python/"  # whose pages have many headings of one word
NAMED_PAGE = re.compile(r"\bdocs/([\w-]+)\.md\b")  # in the comments of config files, which the reference shows
FOR_DEVELOPERS = ("architecture.md", *ELSEWHERE)


def on_files(files: Files, config: Any) -> Files:
    """Called with the files of `docs/`, to which the others are added."""
    docs = Path(config.docs_dir)
    contents: dict[str, str | bytes] = {
        **reference_pages(),
        **interface_pages(),
        **notebook_files(docs / NOTEBOOK),
        **{name: _page_beside(ROOT / path) for name, path in ELSEWHERE.items()},
    }
    for name, content in contents.items():
        files.append(File.generated(config, name, content=content))
    for name, path in draw_pictures((docs / TUTORIAL).read_text(encoding="utf-8"), RUNS).items():
        files.append(File.generated(config, name, content=path.read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Called with the text of each page: links to the notebook lead to its page, but the one that downloads it.

    What is for users comes first in a search, and what explains before what lists.
    """
    boost = 0.2 if page.file.src_uri in FOR_DEVELOPERS else 0.5 if page.file.src_uri.startswith(INTERFACE) else 1
    page.meta.setdefault("search", {"boost": boost})
    if page.file.src_uri == NOTEBOOK_PAGE:
        return markdown
    for written, link in LINKS.items():
        markdown = markdown.replace(written, link)
    if page.file.src_uri.startswith("reference/"):
        markdown = NAMED_PAGE.sub(r"[\1](../\1.md)", markdown)
    return markdown


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """Called with the content of each page: a picture leads to its file, which shows it in its full size.

    A block of text with lines that are drawn, of a table or a diagram, gets the class `drawn`, by which it is not wrapped;
    the name of an option gets the class `option`, by which it does not break at a hyphen.

    Raises:
        PluginError: A shape in a docstring has become a heading or italics.
    """
    if page.file.src_uri.startswith(INTERFACE) and (lost := lost_shapes(html)):
        raise PluginError(f"{page.file.src_uri}: Markdown has read {lost[0]!r} as a heading or as italics.")
    html = DRAWN.sub(r'<div class="\1 drawn">', html)
    html = OPTION.sub('<code class="option">', html)
    return PICTURE.sub(lambda found: f'<a href="{found[1]}">{found[0]}</a>', html)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Called with each page of the site.

    Raises:
        PluginError: It would load something from elsewhere.
    """
    if elsewhere := LOADED_FROM_ELSEWHERE.search(output):
        raise PluginError(f"{page.file.src_uri} would load {elsewhere[1]}, but the site must need no network.")
    return output


def _page_beside(path: Path) -> str:
    """A page that stands at the top of the repository, with links that lead where they lead there."""
    text = path.read_text(encoding="utf-8").replace("](docs/", "](").replace("](README.md)", "](index.md)")
    return re.sub(r"\]\((CHANGELOG|CONTRIBUTING)\.md", lambda found: f"]({found[1].lower()}.md", text)

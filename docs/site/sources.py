"""A hook of MkDocs: files outside docs/ that a page links to become pages of the site.

On a code host such a link opens the file; the site has no files but its own.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(\.\./([^)#]+)\)")
LANGUAGES = {".py": "python", ".yml": "yaml"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each file that a page at the top of docs/ links to."""
    pages = [file for file in files.documentation_pages() if "/" not in file.src_uri]
    linked = {path for file in pages for path in LINK.findall(file.content_string)}
    for path in sorted(linked):
        files.append(File.generated(config, _page_of(path), content=_content_of(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point these links at the pages of the files."""
    if "/" in page.file.src_uri:  # from there ../ is docs/
        return markdown
    return LINK.sub(lambda link: f"]({_page_of(link[1])})", markdown)


def _page_of(path: str) -> str:
    return f"source/{path.lstrip('.')}.md"  # MkDocs leaves out names that begin with a dot


def _content_of(path: str) -> str:
    text = (ROOT / path).read_text(encoding="utf-8")
    fence = f"``````{LANGUAGES.get(Path(path).suffix, '')}"
    # Source is found by the pages that explain it.
    return f"---\nsearch:\n  exclude: true\n---\n# {path}\n\n{fence}\n{text}\n``````\n"

"""An extension of Griffe: examples in docstrings (``>>>``) become blocks of code.

In Markdown, ``>`` at the start of a line is a quotation.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

#: From the first line with a prompt to the end of the paragraph.
EXAMPLE = re.compile(r"^>>> .*(?:\n(?!$).*)*", re.MULTILINE)


class Doctests(griffe.Extension):
    """Fences the examples of every docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of one object, if it has one."""
        if obj.docstring:
            fenced = EXAMPLE.sub(lambda found: f"```pycon\n{found[0]}\n```", obj.docstring.value)
            obj.docstring.value = fenced

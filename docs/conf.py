"""How Sphinx builds these pages: `python -m sphinx -W -b html docs docs/_build/html`."""

from __future__ import annotations

import sys
from pathlib import Path

import flowdsl

sys.path.insert(0, str(Path(__file__).parent))  # `example_flow`, which a page shows

project = "flowdsl"
author = "flowdsl contributors"
copyright = "2026, flowdsl contributors"
version = release = flowdsl.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.intersphinx",
    "flowdsl.orchestrator.documentation_sphinx",
]
exclude_patterns = ["_build", "jupyter_execute", "**.ipynb_checkpoints"]
html_theme = "furo"
html_title = f"flowdsl {release}"
html_theme_options = {"source_edit_link": ""}

# Pages with `{code-cell}` are run when they are built; a cell that raises breaks the build.
nb_execution_mode = "force"
nb_execution_timeout = 120
nb_execution_raise_on_error = True
# They show what was committed with them.
nb_execution_excludepatterns = ["quickstart.ipynb", "logs.ipynb", "magics.ipynb"]
nb_execution_in_temp = True  # their `./logs` go away with them
nb_merge_streams = True
suppress_warnings = ["mystnb.unknown_mime_type"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

default_role = "code"  # in docstrings, single backquotes mean what they look like
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = True

# No network is needed to build: references into other projects stay plain text.
intersphinx_mapping: dict = {}
nitpicky = False

"""A page of its own: what stands around pictures and tables in a file that a browser opens."""

from __future__ import annotations

from flowdsl.views.escape import esc

__all__ = ["page"]

# Light and dark by the reader's own choice, and plain black on white on paper. A browser that knows neither shows
# dark text on white. There is nothing from elsewhere, and no script.
_STYLE = """
:root{color-scheme:light dark}
body{font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif;max-width:1180px;margin:0 auto;
padding:16px 20px 48px;background:#fff;color:#111827}
h1{font-size:22px;margin:.3em 0}h2{font-size:16px;margin:1.8em 0 .4em}
td,th{border:none}pre{overflow-x:auto;font:12px/1.45 ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;
padding:8px 12px;background:rgba(128,133,144,.12);border-radius:6px}
summary{cursor:pointer}.wide{overflow-x:auto}
@media (prefers-color-scheme:dark){body{background:#14161a;color:#e5e7eb}}
@media print{body{background:#fff;color:#000;max-width:none;padding:0;font-size:11px}pre{white-space:pre-wrap}
h2{break-after:avoid}tr,img,pre{break-inside:avoid}.wide{overflow:visible}}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(title: str, body: str) -> str:
    """A whole HTML document with `body`, which is HTML, under `title`, which is not."""
    shown = esc(title)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{shown}</title><style>{_STYLE}</style></head>\n<body>\n<h1>{shown}</h1>\n{body}\n</body></html>\n"
    )

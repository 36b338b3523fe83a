"""A comparison as one HTML file that needs no network, with the picture and tables of all runs."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape

from polyexp.comparison.table import Comparison
from polyexp.report.tables import Column

__all__ = ["page"]

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 1rem; color: #1a1a1a; background: #fff; }}
h1 {{ font-size: 1.3rem; }} h2 {{ font-size: 1.05rem; margin-top: 1.5rem; }}
img {{ max-width: 100%; height: auto; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; white-space: nowrap; font-size: 13px; }}
th, td {{ padding: .25rem .6rem; border-bottom: 1px solid #ddd; text-align: left; }}
th {{ vertical-align: bottom; border-bottom: 2px solid #888; }}
.n {{ text-align: right; font-variant-numeric: tabular-nums; }}
td:first-child {{ font-family: monospace; }}
tbody tr:hover {{ background: #f2f6fa; }}
</style>
</head>
<body>
<h1>{title}</h1>
{notes}<img alt="Loss curves and fitted curves of the runs" src="data:image/png;base64,{picture}">
<h2>What differs, and how the runs ended</h2>
{runs}
{coefficients}</body>
</html>
"""
COEFFICIENTS = "<h2>The fitted polynomials in powers of x</h2>\n{table}\n"


def page(comparison: Comparison, picture: bytes) -> str:
    """The text of the HTML file; `picture` is the content of a PNG file."""
    title = comparison.title.capitalize()
    coefficients = _table([comparison.polynomials, *comparison.coefficients]) if comparison.coefficients else ""
    same = "" if comparison.settings else "<p>They do not differ in their settings.</p>\n"
    return PAGE.format(
        title=escape(title),
        notes="".join(f"<p>{escape(note)}</p>\n" for note in comparison.notes),
        picture=b64encode(picture).decode(),
        runs=same + _table([comparison.ids, *comparison.columns]),
        coefficients=coefficients and COEFFICIENTS.format(table=coefficients),
    )


def _table(columns: Sequence[Column]) -> str:
    classes = [' class="n"' if column.numeric else "" for column in columns]
    heads = "".join(_cell("th", kind, column.head) for kind, column in zip(classes, columns, strict=True))
    rows = zip(*(column.cells for column in columns), strict=True)
    body = "\n".join(
        "<tr>" + "".join(_cell("td", kind, cell) for kind, cell in zip(classes, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def _cell(tag: str, kind: str, text: str) -> str:
    return f"<{tag}{kind}>{escape(text)}</{tag}>"

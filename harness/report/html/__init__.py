"""The report as one HTML file that opens offline: data as JSON, and a page of plain HTML, CSS and JavaScript."""

from harness.report.html.build import render

__all__ = ["render"]

"""The report as one HTML file that opens offline: data as JSON, and a page of plain HTML, CSS and JavaScript.

build       the page: template, style, scripts and data
data        the page's data
facts       what the rows do not say, of all cells
cells       the details of one cell
digits      many numbers rounded at once
detections  the cells whose detections are looked into
accuracy    precision–recall curves and worst images
thumbnails  small images with boxes
tables      pivots and published figures
diagnosis   a diagnosis as a page
levels      the chart of a diagnosis
"""

from harness.report.html.build import render

__all__ = ["render"]

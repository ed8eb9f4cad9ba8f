"""The list of cards keeps what decides at any width."""

import pytest

from harness.report.consoles import make_console
from harness.report.model_table import ModelTable

ROW = {
    **{"name": "ssdlite-mobilenet-v2-ptq-edgetpu", "quantization": "full-integer", "size_bytes": 4_000_000},
    **{"published_map": 0.241, "license": "Apache-2.0", "input": "300x300", "decoder": "ssd-postprocess"},
}


@pytest.mark.parametrize(("width", "columns"), [(80, 5), (100, 6), (160, 7)])
def test_what_fits_is_shown_and_nothing_is_cut(width, columns):
    console = make_console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(ModelTable([ROW, {**ROW, "published_map": None}], ["", "not fetched"]))
    heading, first, second = (line.rstrip() for line in capture.get().splitlines())
    assert len(heading.split()) == columns and max(map(len, (heading, first, second))) <= width
    assert first.split()[:6] == [ROW["name"], "full-integer", "0.241", "4.0", "MB", "Apache-2.0"]
    assert second.split()[2:5] == ["–", "not", "fetched"]

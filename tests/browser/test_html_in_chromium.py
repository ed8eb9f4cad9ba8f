"""The HTML report in a real browser, from file://, with the network off.

Needs Debian's packages chromium and chromium-driver and Selenium; axe-core is looked up below the folder that the
environment variable AXE_MODULES or `npm root` names. `.ci/browser` installs all of them.
"""

import importlib.util
import os
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import msgspec
import pytest

from harness import units
from harness.records import records
from harness.report.html import render
from harness.rows import frame
from harness.rows.beside import Pair
from harness.rows.published import published_rows
from harness.workspace import find_workspace
from tests.support.paths import DATASET, RECORDS_FORMATS, REPOSITORY
from tests.support.runs_on_disk import RunFactory

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
HAVE_SELENIUM = importlib.util.find_spec("selenium") is not None
pytestmark = pytest.mark.skipif(
    not (BROWSER and DRIVER and HAVE_SELENIUM), reason="chromium, chromedriver or selenium is absent"
)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")  # fmt: skip
HOSTILE = "<script>alert(1)</script>"
ENDING = "</script><img src=x onerror=alert(2)>"
DOUBTFUL = {"status": "ok", "spread": 0.9, "n_samples": 60}


def add_operators(folder):
    """Let a cell have the operators of the run that is kept as a fixture."""
    (kept,) = frame.read_results([RECORDS_FORMATS / "1-operators"]).records
    shutil.copy(kept.folder / "operators.json", folder)
    path = folder / "record.json"
    record = records.load(path, records.Record)
    records.save(path, msgspec.structs.replace(record, operators=kept.record.operators))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A report of two devices with one row of each kind."""
    folder = tmp_path_factory.mktemp("page")
    run = RunFactory(folder / "20261121-090000-abcd")
    run.example()
    run.example("pixel-4")
    run.cell("shapes-float32", "hexagon", device="pixel-4", status="fallback", reasons=("no DSP access",))
    run.cell(HOSTILE, "gpu", device="pixel-4", status="incorrect", reasons=("outputs differ",), map_=0.95)
    run.cell(ENDING, "gpu", device="pixel-4", status="failed", median_ms=None, map_=None)
    run.cell("shapes-noisy", "cpu:2", map_=0.85, median_ms=3.0, **DOUBTFUL)
    for cell in run.cells:
        add_operators(cell)
    found = frame.read_results([run.folder])
    file = folder / "report.html"
    beside = published_rows(find_workspace())
    pairs = list(map(Pair, beside))
    text = render(found, frame.to_rows(found.records), group_by="device", beside=beside, pairs=pairs)
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium, page):
    """The report, freshly opened at the width of a desk."""
    show(chromium, page)
    yield chromium
    assert [entry for entry in chromium.get_log("browser") if entry["level"] in {"SEVERE", "WARNING"}] == []


def show(driver, page, width=1280, scheme="light"):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    driver.get("about:blank")
    driver.get(page.as_uri())
    wait_for(driver, "document.body.dataset.ready === 'yes'")


def wait_for(driver, condition):
    from selenium.webdriver.support.wait import WebDriverWait

    WebDriverWait(driver, 30).until(lambda d: d.execute_script(f"return {condition}"))


def js(driver, code, *args):
    return driver.execute_script(code, *args)


def names(driver):
    """The models of the rows that the table shows, in its order."""
    own = ".results .open > span:not(.chevron, .star, .hidden)"
    return js(driver, f"return [...document.querySelectorAll('{own}')].map(e => e.textContent)")


def column(driver, name):
    code = """const heads = [...document.querySelectorAll('.results thead th')];
        const place = heads.findIndex(th => th.dataset.column === arguments[0]);
        const rows = [...document.querySelectorAll('.results tbody tr:not(.more)')];
        return rows.map(row => row.children[place].firstChild.textContent)"""
    return js(driver, code, name)


def choose(driver, control, value):
    code = """const e = document.getElementById(arguments[0]); e.value = arguments[1];
        e.dispatchEvent(new Event('input', {bubbles: true}));
        return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"""
    js(driver, code, control, value)


def picks(driver):
    return js(driver, "return [...document.querySelectorAll('.pick')].map(e => e.textContent)")


def test_the_page_opens_from_a_file_with_the_network_off(browser):
    assert browser.title == "shapes, <script>alert(1)</script> and 2 more on local, pixel-4"
    assert len(names(browser)) == 28
    requests = js(browser, "return performance.getEntriesByType('resource').map(e => e.name)")
    assert [name for name in requests if not name.startswith("data:")] == []


def test_names_that_look_like_markup_show_as_text(browser):
    assert HOSTILE in names(browser) and ENDING in names(browser)
    assert js(browser, "return document.querySelectorAll('script').length") == 2
    assert js(browser, "return document.querySelectorAll('img').length") == 0


def test_the_slider_changes_what_to_ship(browser):
    choose(browser, "budget-slider", 400)
    assert all("shapes-float32" in text and "mAP, 0.800" in text for text in picks(browser))
    choose(browser, "budget-slider", 40)
    assert all("shapes-full-integer" in text for text in picks(browser))
    choose(browser, "budget-slider", 0)
    assert all("Nothing fits" in text for text in picks(browser))


def test_a_row_that_cannot_be_trusted_is_passed_over_and_the_card_says_so(browser):
    choose(browser, "budget-slider", 400)
    local = next(text for text in picks(browser) if text.startswith("local"))
    assert "shapes-noisy" not in local and "cannot be trusted as measured" in local


def test_a_filter_holds_for_decision_scatter_and_table(browser):
    choose(browser, "filter-device", "pixel-4")
    choose(browser, "filter-delegate_requested", "cpu:4")
    assert len(picks(browser)) == 1 and len(names(browser)) == 4
    assert js(browser, "return document.querySelectorAll('.point').length") == 4
    browser.find_element("id", "reset").click()
    assert len(names(browser)) == 28


def test_words_filter_the_rows(browser):
    choose(browser, "filter-text", "float16 pixel")
    assert set(names(browser)) == {"shapes-float16"} and len(names(browser)) == 3


def test_a_click_on_a_heading_sorts_and_says_so(browser):
    button = browser.find_element("css selector", "th[data-column=latency_median_ms] button")
    button.click()
    told = [value for value in column(browser, "latency_median_ms") if value != units.MISSING]
    assert [float(value) for value in told] == sorted(float(value) for value in told)
    assert (
        js(browser, "return document.querySelector('[aria-sort]').getAttribute('aria-sort')") == "ascending"
    )
    button.click()
    assert column(browser, "latency_median_ms")[0] == max(told, key=float)


@pytest.mark.parametrize("name", ["latency_median_ms", "map"])
def test_rows_that_did_not_run_rightly_are_never_ranked(browser, name):
    for _ in range(2):
        browser.find_element("css selector", f"th[data-column={name}] button").click()
        assert {"fallback", "incorrect", "failed"} == set(column(browser, "status")[-3:])


def test_a_link_to_a_row_opens_its_evidence_even_when_it_is_filtered_out(browser):
    choose(browser, "filter-device", "local")
    js(browser, "location.hash = '#row-24'")
    wait_for(browser, "document.getElementById('detail-24') !== null")
    told = js(browser, "return document.getElementById('detail-24').textContent")
    assert "What really ran" in told and "31 nodes" in told and "no DSP access" in told


def test_a_link_of_the_decision_leads_to_its_row(browser):
    link = browser.find_element("css selector", ".pick a")
    row = link.get_attribute("href").split("#row-")[1]
    link.click()
    wait_for(browser, f"document.getElementById('detail-{row}') !== null")
    assert js(browser, "return document.activeElement.id") == f"open-{row}"


def test_the_details_of_a_row_have_its_charts(browser):
    browser.find_element("css selector", ".results .open").click()
    wait_for(browser, "document.querySelectorAll('.detail svg').length >= 3")
    titles = js(
        browser, "return [...document.querySelectorAll('.detail figcaption strong')].map(e => e.textContent)"
    )
    assert titles[:3] == ["Distribution", "From process to process", "Over time"]


def test_the_operators_of_a_row_are_listed_with_who_ran_them(chromium, tmp_path):
    folder = RECORDS_FORMATS / "1-operators"
    found = frame.read_results([folder])
    file = tmp_path / "operators.html"
    file.write_text(render(found, frame.to_rows(found.records)), encoding="utf-8")
    show(chromium, file)
    chromium.find_element("css selector", ".results .open").click()
    wait_for(chromium, "document.querySelector('.operators') !== null")
    code = """const tables = [...document.querySelectorAll('.operators table')];
        return tables.map(table => [...table.tBodies[0].rows].map(row => row.textContent))"""
    kinds, every = js(chromium, code)
    assert kinds[0].startswith("TFLite_Detection_PostProcessbuiltin kernel1")
    assert any(row.startswith("Convolution (NHWC, F32) IGEMMxnnpack1") for row in kinds)
    assert len(every) == 55


NOT_OK = {
    "fallback": "xnnpack",
    "partial": "gpu",
    "incorrect": "gpu",
    "failed": "unknown",
    "partial-data": "cpu",
}


def test_the_figures_of_a_row_that_is_not_ok_stand_under_its_word(chromium, tmp_path):
    run = RunFactory(tmp_path / "20261121-090000-abcd")
    for status, actual in NOT_OK.items():
        add_operators(run.cell(f"net-{status}", "gpu", status=status, actual=actual, reasons=("why",)))
        path = run.cells[-1] / "record.json"
        record = records.load(path, records.Record)
        records.save(path, msgspec.structs.replace(record, settings={"sustained": 60.0}))
    found = frame.read_results([run.folder])
    file = tmp_path / "page.html"
    file.write_text(render(found, frame.to_rows(found.records), group_by="device"), encoding="utf-8")
    show(chromium, file)
    for place, status in enumerate(NOT_OK):
        js(chromium, "document.getElementById(arguments[0]).click()", f"open-{place}")
        wait_for(chromium, f"document.getElementById('detail-{place}') !== null")
        code = """const detail = document.getElementById(arguments[0]);
            const heads = [...detail.querySelectorAll('h3, summary')].map(e => [e.textContent, e.parentElement]);
            const told = heads.filter(([, part]) => /\\d/.test(part.textContent)).map(([text]) => text);
            return [told, detail.querySelector('.charts').previousElementSibling.textContent]"""
        told, charts = js(chromium, code, f"detail-{place}")
        word = f"{status}: {NOT_OK[status]} ran"
        assert charts == f"{word}. That is what the charts show."
        figures = [
            text for text in told if text.startswith(("Time by", "Latency", "Accuracy")) or "one by" in text
        ]
        assert figures
        assert all(word in text for text in figures), figures
        assert any(text.startswith("Time by operator") for text in figures) == (status != "fallback")
    points = js(
        chromium, "return [...document.querySelectorAll('.point')].map(e => e.getAttribute('aria-label'))"
    )
    assert len(points) == 2
    assert all("partial" in text for text in points)
    long = js(
        chromium, "return [...document.querySelectorAll('#sustained-chart figure')].map(e => e.textContent)"
    )
    assert len(long) == len(NOT_OK)
    assert all(any(word in text for word in NOT_OK) for text in long)
    cells = js(chromium, "return [...document.querySelectorAll('#pivot-tables td')].map(e => e.textContent)")
    assert all(any(word in text for word in NOT_OK) for text in cells)


def test_pivots_and_published_figures_have_sections_of_their_own(browser):
    titles = js(browser, "return [...document.querySelectorAll('#pivots caption')].map(e => e.textContent)")
    assert titles[:2] == ["device: local", "device: pixel-4"] and "device: Pixel 4" in titles
    assert js(browser, "return document.querySelectorAll('#published-table tbody tr').length") > 10
    links = js(browser, "return [...document.querySelectorAll('#sections a')].map(e => e.textContent)")
    assert "By device" in links and "Published figures" in links


def test_the_keyboard_walks_the_points_of_the_scatter(browser):
    from selenium.webdriver.common.keys import Keys

    js(browser, "document.querySelector('.point[tabindex=\"0\"]').focus()")
    first = js(browser, "return document.activeElement.dataset.row")
    browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert js(browser, "return document.activeElement.dataset.row") != first
    assert js(browser, "return document.querySelector('.tip').hidden") is False


def test_the_front_is_the_one_that_python_marks(browser, page):
    from harness.rows.pareto import optimal

    rows = frame.to_rows(frame.read_results([page.parent]).records)
    marked = {index for index, is_optimal in enumerate(optimal(rows)) if is_optimal}
    shown = js(
        browser, "return [...document.querySelectorAll('.point.optimal')].map(e => Number(e.dataset.row))"
    )
    assert set(shown) == marked


def test_the_theme_can_be_turned(browser):
    before = js(browser, "return getComputedStyle(document.body).backgroundColor")
    browser.find_element("id", "theme").click()
    assert js(browser, "return getComputedStyle(document.body).backgroundColor") != before


@pytest.mark.parametrize("width", [390, 320])
def test_nothing_is_wider_than_a_phone(browser, page, width):
    show(browser, page, width)
    browser.find_element("css selector", ".results .open").click()
    assert js(browser, "return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(
    ("name", "width", "scheme"), [("light", 1280, "light"), ("dark", 1280, "dark"), ("phone", 390, "light")]
)
def test_pictures_are_kept_for_a_person_to_look_at(browser, page, name, width, scheme, tmp_path_factory):
    show(browser, page, width, scheme)
    file = Path(os.environ.get("SCREENSHOTS") or tmp_path_factory.mktemp("screenshots")) / f"{name}.png"
    picture = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})["data"]
    import base64

    file.write_bytes(base64.b64decode(picture))
    assert file.stat().st_size > 20_000


def axe_source():
    root = os.environ.get("AXE_MODULES")
    if root is None and shutil.which("npm"):
        root = subprocess.run(["npm", "root"], capture_output=True, text=True, check=False).stdout.strip()
    file = Path(root or "node_modules") / "axe-core" / "axe.min.js"
    if not file.is_file():
        pytest.skip(f"axe-core is absent, which goes with chromium: {file}")
    return file.read_text(encoding="utf-8")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_axe_finds_no_serious_fault(browser, page, width, scheme):
    source = axe_source()
    show(browser, page, width, scheme)
    browser.find_element("css selector", ".results .open").click()
    js(browser, "for (const part of document.querySelectorAll('.detail details')) part.open = true")
    js(browser, source)
    found = browser.execute_async_script("axe.run().then(r => arguments[0](r.violations))")
    grave = [
        (one["id"], one["impact"], [node["html"] for node in one["nodes"]][:3])
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]
    assert grave == []


SAMPLES = [0, 0.0004, 0.0005, 0.5, 0.9994, 0.9995, 1, 1.005, 2.675, 9.994, 9.995, 10.25, 12.35, 33.333, 99.94, 99.95,
           100.5, 101.5, 999.5, 1000.5, 12345.678, 1234567.5]  # fmt: skip


def test_numbers_that_the_page_formats_read_as_python_s(browser):
    script = files("harness.report.html").joinpath("js", "format.js").read_text(encoding="utf-8")
    told = js(browser, f"{script}; return arguments[0].map(milliseconds)", SAMPLES)
    assert told == [units.milliseconds(value) for value in SAMPLES]
    shares = [value / 997 for value in range(0, 998, 7)]
    assert js(browser, f"{script}; return arguments[0].map(metric)", shares) == list(
        map(units.metric, shares)
    )


@pytest.fixture(scope="module")
def diagnosis_page(tmp_path_factory):
    """The page of a diagnosis of the bundled pair."""
    from harness.accuracy.dataset import find_dataset
    from harness.diagnosis.diagnose import Case, Diagnosis, gather
    from harness.diagnosis.findings import Finding, Number, Remedy
    from harness.diagnosis.runs.model_pair import ModelPair, load_model
    from harness.recognize.find import find_model
    from harness.report.html.diagnosis import render as render_diagnosis
    from harness.workspace import find_workspace

    workspace = find_workspace(str(REPOSITORY))
    models = [find_model(name, workspace) for name in ("shapes-float32", "shapes-full-integer")]
    pair = ModelPair(load_model("float", models[0]), load_model("quantized", models[1]))
    dataset = find_dataset(DATASET).limited(12)
    found = [
        Finding(ENDING, confidence, HOSTILE, HOSTILE, (Number("share", 0.25),), None, "edit",
                Remedy(HOSTILE, ("harness", "edit", HOSTILE)))
        for confidence in ("certain", "likely", "possible")
    ]  # fmt: skip
    file = tmp_path_factory.mktemp("diagnosis") / "why.html"
    diagnosis = Diagnosis(gather(Case(pair, dataset, layer_images=2)), tuple(found))
    file.write_text(render_diagnosis(diagnosis), encoding="utf-8")
    return file


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_axe_finds_no_serious_fault_in_a_diagnosis(chromium, diagnosis_page, width, scheme):
    source = axe_source()
    show(chromium, diagnosis_page, width, scheme)
    chromium.find_element("css selector", "details summary").click()
    js(chromium, source)
    found = chromium.execute_async_script("axe.run().then(r => arguments[0](r.violations))")
    grave = [
        (one["id"], one["impact"], [node["html"] for node in one["nodes"]][:3])
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]
    assert grave == []


@pytest.mark.parametrize("width", [1280, 390])
def test_a_diagnosis_shows_all_its_parts_and_runs_nothing(chromium, diagnosis_page, width):
    chromium.get_log("browser")
    show(chromium, diagnosis_page, width)
    titles = js(chromium, "return [...document.querySelectorAll('h2')].map(e => e.textContent)")
    assert titles == [
        "How bad", "Of what the loss consists", "Where it arises", "Why", "What to do", "The most different images",
    ]  # fmt: skip
    assert js(chromium, "return document.scripts.length") == 0
    assert js(chromium, "return document.querySelectorAll('svg.levels circle').length") == 55
    assert js(chromium, "return [...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert js(chromium, "return document.documentElement.scrollWidth <= innerWidth")
    assert [entry for entry in chromium.get_log("browser") if entry["level"] in {"SEVERE", "WARNING"}] == []

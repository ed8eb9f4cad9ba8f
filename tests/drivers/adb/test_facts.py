"""What a phone tells of itself: texts as phones print them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.drivers import linux_facts
from harness.drivers.adb import expectations
from harness.drivers.adb import facts as phone
from harness.drivers.adb.describe import describe_phone

PIXEL_4 = """@@getprop
[ro.product.manufacturer]: [Google]
[ro.product.model]: [Pixel 4]
[ro.serialno]: [99051FFAZ00ABC]
[ro.build.version.release]: [13]
[ro.build.version.sdk]: [33]
[ro.build.fingerprint]: [google/flame/flame:13/TP1A.221005.002/9012097:user/release-keys]
[ro.product.cpu.abi]: [arm64-v8a]
[ro.board.platform]: [msmnile]
[ro.soc.manufacturer]: [Qualcomm]
[ro.soc.model]: [SM8150]
@@uname
Linux 4.14.276-g8ae7b4ca8564-ab8715030 aarch64
@@release
@@memory
MemTotal:        5634952 kB
MemFree:          167532 kB
@@cpuinfo
Hardware\t: Qualcomm Technologies, Inc SM8150
@@gpu
GLES: Qualcomm, Adreno (TM) 640, OpenGL ES 3.2 V@0502.0 (GIT@191610ae03, Ic907de5ed0, 1600323700)
@@root
2000
@@space
12345678 4096
@@tools
taskset
sha256sum
md5sum
@@cpu
0 1785600 576000 schedutil
1 1785600 576000 schedutil
2 1785600 576000 schedutil
3 1785600 576000 schedutil
4 2419200 710400 schedutil
5 2419200 710400 schedutil
6 2419200 710400 schedutil
7 2841600 825600 schedutil
@@battery
Current Battery Service state:
  AC powered: false
  USB powered: true
  Max charging current: 500000
  status: 2
  health: 2
  present: true
  level: 87
  scale: 100
  voltage: 4301
  temperature: 271
  technology: Li-ion
@@thermal
IsStatusOverride: false
Thermal Status: 1
Cached temperatures:
\tTemperature{mValue=99.9, mType=3, mName=stale, mStatus=0}
HAL Ready: true
HAL connection:
\tThermalHAL 2.0 connected: yes
Current temperatures from HAL:
\tTemperature{mValue=35.2, mType=0, mName=CPU0, mStatus=0}
\tTemperature{mValue=31.1, mType=3, mName=skin, mStatus=0}
\tTemperature{mValue=-274.0, mType=2, mName=broken, mStatus=0}
Current cooling devices from HAL:
\tCoolingDevice{mValue=0, mType=2, mName=tmu}
@@power
  mWakefulness=Asleep
Display Power: state=OFF
@@end
"""


def changed(**props):
    text = PIXEL_4
    for name, value in props.items():
        key = f"ro.{name.replace('__', '.')}"
        text = "\n".join(
            f"[{key}]: [{value}]" if line.startswith(f"[{key}]") else line for line in text.splitlines()
        )
    return phone.parse(text + "\n")


def test_every_fact_of_a_pixel_4_is_read():
    facts = phone.parse(PIXEL_4)
    assert (facts.serial, facts.manufacturer, facts.model) == ("99051FFAZ00ABC", "Google", "Pixel 4")
    assert (facts.soc, facts.android, facts.api_level, facts.abi) == (
        "Qualcomm SM8150",
        "13",
        33,
        "arm64-v8a",
    )
    assert (facts.gpu, facts.memory_mb, facts.free_mb, facts.root) == ("Adreno (TM) 640", 5770, 50567, "no")
    assert linux_facts.clusters(facts.cores) == "4x1786 MHz + 3x2419 MHz + 1x2842 MHz"
    assert linux_facts.big_cores(facts.cores) == (4, 5, 6, 7)
    assert linux_facts.taskset_mask(linux_facts.big_cores(facts.cores)) == "f0"
    assert facts.tools == ("taskset", "sha256sum", "md5sum")
    assert facts.health == phone.Health(
        battery_percent=87,
        battery_temperature_c=27.1,
        charging="yes",
        thermal_status="light",
        hottest_c=35.2,
        screen_on=False,
    )
    assert facts.governor == "schedutil"


def test_the_row_of_a_phone_says_what_it_is_and_what_is_not_to_be_had():
    row = describe_phone("pixel", "99051FFAZ00ABC", phone.parse(PIXEL_4))
    assert (row.kind, row.model, row.os) == ("adb", "Google Pixel 4", "Android 13 (API 33)")
    assert row.delegates == ("cpu", "cpu-reference", "gpu", "nnapi", "qnn")
    assert row.reason == "no hexagon: a Pixel does not let other programs use the DSP"
    assert row.facts["screen_on"] == "no"
    assert row.facts["big_core_mask"] == "f0"


def test_a_model_that_begins_with_its_maker_is_not_named_twice():
    facts = changed(product__manufacturer="HUAWEI", product__model="Huawei P30")
    assert describe_phone("x", "y", facts).model == "Huawei P30"


@pytest.mark.parametrize(
    ("props", "delegates", "reason"),
    [
        (
            {"build__version__sdk": "26"},
            {"gpu", "qnn"},
            "no nnapi: it exists since Android 8.1, this is API 26",
        ),
        ({"build__version__sdk": "27"}, {"gpu", "nnapi", "qnn"}, "no hexagon"),
        ({"build__version__sdk": "35"}, {"gpu", "nnapi", "qnn"}, "NNAPI is deprecated since Android 15"),
        ({"product__manufacturer": "samsung"}, {"gpu", "nnapi", "hexagon", "qnn"}, ""),
        (
            {"product__manufacturer": "samsung", "soc__manufacturer": "Samsung", "soc__model": "s5e9925"},
            {"gpu", "nnapi"},
            "no hexagon: not a Qualcomm processor; no qnn: not a Qualcomm processor",
        ),
        (
            {"soc__manufacturer": "Google", "soc__model": "Tensor G3"},
            {"gpu", "nnapi"},
            "no qnn: not a Qualcomm",
        ),
    ],
)
def test_what_can_be_expected_follows_from_the_phone(props, delegates, reason):
    facts = changed(**props)
    row = describe_phone("x", "y", facts)
    assert set(row.delegates) == {"cpu", "cpu-reference", *delegates}
    assert reason in row.reason


CODE_NAME = """@@getprop
[ro.product.manufacturer]: [Xiaomi]
[ro.build.version.sdk]: [30]
[ro.hardware]: [{hardware}]
[ro.board.platform]: [atoll]
@@cpuinfo
Hardware\t: {cpu}
@@gpu
GLES: {gpu}
@@end
"""


@pytest.mark.parametrize(
    ("hardware", "cpu", "gpu", "qualcomm"),
    [
        ("qcom", "x", "x", True),
        ("x", "Qualcomm Technologies, Inc ATOLL-AB", "x", True),
        ("x", "x", "Qualcomm, Adreno (TM) 618, OpenGL ES 3.2 V@0502.0", True),
        ("mt6789", "x", "ARM, Mali-G57 MC2, OpenGL ES 3.2", False),
        ("exynos990", "x", "ARM, Mali-G77, OpenGL ES 3.2", False),
        ("x", "x", "ARM, Mali-G77, OpenGL ES 3.2", None),
    ],
)
def test_the_maker_of_a_processor_is_told_by_evidence_and_no_code_name_denies_one(
    hardware, cpu, gpu, qualcomm
):
    facts = phone.parse(CODE_NAME.format(hardware=hardware, cpu=cpu, gpu=gpu))
    assert expectations.is_qualcomm(facts) is qualcomm
    row = describe_phone("x", "y", facts)
    assert ("qnn" in row.delegates, "hexagon" in row.delegates) == (qualcomm is not False,) * 2
    assert ("unknown whether the processor is Qualcomm's" in row.reason) == (qualcomm is None)


def health(section, text):
    return phone.parse(f"@@{section}\n{text}\n@@end\n").health


@pytest.mark.parametrize("line", ["HAL Ready: false", "IsStatusOverride: true"])
def test_a_thermal_status_without_a_hal_or_under_an_override_is_unknown(line):
    assert health("thermal", f"Thermal Status: 0\n{line}").thermal_status is None
    assert health("thermal", "Thermal Status: 0\nHAL Ready: true").thermal_status == "none"


def test_a_phone_without_a_battery_has_no_charge():
    assert health("battery", "  status: 1\n  present: false\n  level: 0\n  temperature: 0") == phone.Health()


@pytest.mark.parametrize(
    ("status", "charging"),
    [
        ("1", None),
        ("2", "yes"),
        ("3", "no"),
        ("4", "no"),
        ("5", "full"),
        ("6", None),
        ("", None),
        ("2.0", None),
    ],
)
@pytest.mark.parametrize("power", ["AC", "USB", "Wireless", "Dock"])
def test_charging_is_what_the_battery_says_whatever_feeds_it(status, charging, power):
    text = f"  {power} powered: true\n  status: {status}\n  health: 2\n  present: true\n  level: 50\n  scale: 100"
    assert health("battery", text).charging == charging
    assert health("battery", f"{text}\nVendor state:\n  status: 7\n  level: 3").battery_percent == 50


def test_a_battery_that_was_set_by_hand_is_unknown():
    stopped = "  (UPDATES STOPPED -- use 'reset' to restart)"
    text = "  status: 2\n  present: true\n  level: 50\n  temperature: 250"
    assert health("battery", text) != phone.Health()
    assert health("battery", f"{stopped}\n{text}") == phone.Health()


def test_the_temperature_of_an_emulators_battery_is_unknown():
    found = health("battery", "  present: true\n  level: 89\n  voltage: 0\n  temperature: 0")
    assert (found.battery_percent, found.battery_temperature_c) == (89, None)


def test_what_nobody_tells_is_unknown():
    facts = phone.parse("@@end\n")
    assert facts == phone.PhoneFacts()
    row = describe_phone("x", "y", facts)
    assert (row.model, row.soc, row.os, row.abi, row.facts) == (None, None, None, None, {})
    assert row.delegates == expectations.ON_CPU


def test_an_unreadable_tool_leaves_the_others_alone():
    text = PIXEL_4.replace("  level: 87\n", "").replace("temperature: 271", "temperature: ?")
    health = phone.parse_health(linux_facts.sections(text))
    assert (health.battery_percent, health.battery_temperature_c, health.charging) == (None, None, "yes")
    assert phone.parse(text.replace("\n", "\r\n")).model == "Pixel 4"


@given(st.data())
def test_no_garbage_raises(data):
    at = data.draw(st.integers(0, len(PIXEL_4)))
    text = PIXEL_4[:at] + data.draw(st.text(max_size=20)) + PIXEL_4[at + data.draw(st.integers(0, 40)) :]
    describe_phone("x", "y", phone.parse(text))


def test_the_script_runs_in_any_shell_and_ends_well():
    import subprocess

    done = subprocess.run(["sh", "-c", phone.SCRIPT], capture_output=True, text=True, check=True)
    assert "@@end" in done.stdout
    assert done.stderr == ""

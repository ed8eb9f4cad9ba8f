"""The known faults as the table of devices/README.md."""

from harness.tflite.known_faults import known_faults


def faults_table():
    """Return the lines of the table."""
    lines = ["| fault | seen in | what to do | shown by |", "|---|---|---|---|"]
    for fault in known_faults():
        effect = fault.effect.format(threads="T (1 < T < classes)", **{"class": "T, counted from 0"})
        where = ", ".join(str(versions) for versions in fault.runtimes)
        lines.append(f"| {effect} | {where} | {fault.remedy} | [`{fault.source}`](../{fault.source}) |")
    return "\n".join(lines)

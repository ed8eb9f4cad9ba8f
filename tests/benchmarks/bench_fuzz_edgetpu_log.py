"""Feed the reader of edgetpu_compiler's logs damaged logs: it may never raise, nor take long.

    python -m tests.benchmarks.bench_fuzz_edgetpu_log [--cases 100000] [--seed 1]

Each case takes one of the logs of tests/edgetpu/test_log.py and damages it several times: characters replaced, pieces
cut out, doubled, lines mixed with those of another log, digits made long. It is then read, and what was read is
advised on and compared. Prints one JSON object: cases, rows found, the worst time, failures (each with the seed that
brings it back). Exit status 1 when there is a failure.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time

from harness.edgetpu.advice import advice
from harness.edgetpu.compare import remarks, side_by_side
from harness.edgetpu.log import parse
from tests.edgetpu import test_log

LIMIT_S = 0.5
ODD = [
    "\x00",
    "\x1b[31m",
    "9" * 400,
    "-1",
    "1e999",
    "٣",
    "\u2028",
    "\r",
    "|",
    ">",
    ":",
    "MiB",
    "  ",
    "Mapped to Edge TPU",
]


def logs() -> list[str]:
    """Return the logs that the tests hold."""
    return [test_log.VERSION_16, test_log.ISSUE_342, test_log.LOG_FILE, test_log.PTQ, test_log.QAT]


def damage(text: str, others: list[str], chance: random.Random) -> str:
    """Return the text with one damage."""
    at, to = sorted(chance.randrange(len(text) + 1) for _ in range(2))
    kind = chance.randrange(6)
    if kind == 0:
        return text[:at] + chance.choice(ODD) + text[at:]
    if kind == 1:
        return text[:at] + text[to:]
    if kind == 2:
        return text[:to] + text[at:to][:2000] + text[to:]
    if kind == 3:
        lines = [*text.splitlines(), *chance.choice(others).splitlines()]
        chance.shuffle(lines)
        return "\n".join(lines[:400])
    if kind == 4:
        return text.replace(chance.choice("0123456789 :\n"), chance.choice(ODD), chance.randrange(1, 20))
    return "".join(chr(chance.randrange(0x250)) if chance.random() < 0.02 else c for c in text)


def main() -> int:
    """Damage, read, report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    whole, worst, rows, failures = logs(), 0.0, 0, []
    for case in range(asked.cases):
        chance = random.Random(f"{asked.seed}/{case}")
        text = chance.choice(whole)
        for _ in range(chance.randrange(1, 8)):
            text = damage(text, whole, chance)
        begin = time.perf_counter()
        try:
            log = parse(text)
            rows += sum(len(model.rows) for model in log.models)
            for model in log.models:
                advice(log, model)
                list(remarks(side_by_side(model, log.models[0]), ("a", "b")))
        except Exception as error:  # whatever it is, it is a failure
            failures.append({"seed": f"{asked.seed}/{case}", "error": repr(error)})
        took = time.perf_counter() - begin
        worst = max(worst, took)
        if took > LIMIT_S:
            failures.append({"seed": f"{asked.seed}/{case}", "error": f"took {took:.2f} s"})
    print(
        json.dumps(
            {"cases": asked.cases, "rows": rows, "worst_ms": round(worst * 1e3, 1), "failures": failures}
        )
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

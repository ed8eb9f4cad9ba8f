"""Fail if a test was skipped for want of something that CI installs.

Usage: check_skips.py JUNIT.xml [ALLOWED…]. A skip is allowed when its reason names the shared data, which is not part
of the repository, or one of the ALLOWED words (what another step of CI installs and tests).
"""

import sys
from xml.etree import ElementTree

allowed = ["shared data", "shared cases", "shared models", "/shared/", *sys.argv[2:]]
cases = list(ElementTree.parse(sys.argv[1]).getroot().iter("testcase"))
skips = [(case.get("name"), skip.get("message", "")) for case in cases for skip in case.iter("skipped")]
wrong = [(name, why) for name, why in skips if not any(word in why.lower() for word in allowed)]
for name, why in wrong:
    print(f"skipped in CI: {name}: {why}")
print(f"{len(cases)} tests, {len(skips)} skipped, {len(wrong)} of them wrongly")
sys.exit(1 if wrong or not cases else 0)

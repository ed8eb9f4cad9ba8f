// Which rows are looked at, which of them no other beats, and which to ship. Pure functions of rows.

// Only an `ok` row with both figures takes part, as in harness/report/pareto.py.
const takesPart = (row, speed = "latency_median_ms") =>
  text(row, "status") === "ok" && known(row, speed) && known(row, "map");

// mAP figures meet only on the same dataset and number of images, and only on one device.
const groupOf = (row) => [text(row, "device"), text(row, "dataset"), text(row, "n_images")].join("\n");

function groups(rows) {
  const found = new Map();
  for (const row of rows) {
    const key = groupOf(row);
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(row);
  }
  return [...found.values()];
}

const bySpeed = (speed) => (a, b) => number(a, speed) - number(b, speed);

// Pareto-optimal rows: none of the group is as good in both and better in one; equal rows are all optimal.
function front(rows) {
  const found = new Set();
  for (const group of groups(rows.filter((row) => takesPart(row)))) {
    const ordered = group.sort((a, b) => bySpeed("latency_median_ms")(a, b) || number(b, "map") - number(a, "map"));
    let best = -1;
    let at = null;
    for (const row of ordered) {
      const map = number(row, "map");
      const twin = map === best && number(row, "latency_median_ms") === at;
      if (map > best || twin) found.add(row);
      if (map > best) [best, at] = [map, number(row, "latency_median_ms")];
    }
  }
  return found;
}

// Rows of the front whose place is shown: every other row is slower with its whole interval, or shown to be less
// accurate, by intervals that lie apart or by the detections of both (DATA.shown), as in harness/rows/pareto.py.
const PAIRS = new Set((DATA.shown || []).map((pair) => pair.join(",")));
const apart = (low, high) => low !== null && high !== null && low > high;
const leads = (row, other) =>
  apart(number(other, "latency_median_low_ms"), number(row, "latency_median_high_ms")) ||
  apart(number(row, "map_low"), number(other, "map_high")) || PAIRS.has(`${row},${other}`);

function shownFront(rows, optimal) {
  const inGroup = new Map(groups(rows.filter((row) => takesPart(row))).flatMap((group) => group.map((row) => [row, group])));
  return new Set([...optimal].filter((row) => inGroup.get(row).every((other) => other === row || leads(row, other))));
}

// The best of some rows: the most accurate, of those the fastest; without any mAP the fastest.
function best(rows, speed) {
  const order = (a, b) => (number(b, "map") ?? -1) - (number(a, "map") ?? -1) || bySpeed(speed)(a, b);
  return rows.length ? rows.reduce((one, other) => (order(other, one) < 0 ? other : one)) : null;
}

// What to ship of one group under a budget. `trusted` counts first; a row with a doubt is only ever the second choice.
function choose(group, budget, speed) {
  const measured = group.filter((row) => text(row, "status") === "ok" && known(row, speed));
  const scored = measured.filter((row) => known(row, "map"));
  const able = scored.length ? scored : measured;
  const fits = able.filter((row) => number(row, speed) <= budget);
  const trusted = fits.filter((row) => text(row, "verdict") === "trusted");
  const ship = best(trusted.length ? trusted : fits, speed);
  const better = able.filter((row) => number(row, speed) > budget && (ship === null || number(row, "map") > number(ship, "map")));
  return {
    ship,
    fits,
    isTrusted: trusted.length > 0,
    hasMap: scored.length > 0,
    measured: able.length,
    doubtful: trusted.length ? fits.filter((row) => number(row, "map") > number(ship, "map")).length : 0,
    next: better.length ? better.reduce((a, b) => (number(b, speed) < number(a, speed) ? b : a)) : null,
  };
}

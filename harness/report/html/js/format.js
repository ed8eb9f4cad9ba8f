// Numbers that change while the page is read (the budget, the ticks of an axis). Everything else comes formatted from
// Python. These two mirror `milliseconds` and `metric` of harness/units.py; a test holds them against each other.

// Python rounds an exact half to the even digit, toFixed always up: (0.5).toFixed(0) is "1", Python has "0".
const GUARD = 55; // more decimals than a double of this size has
function fixed(value, digits) {
  const exact = value.toFixed(digits + GUARD);
  const kept = exact.slice(0, -GUARD).replace(/\.$/, "");
  const isHalf = /^50*$/.test(exact.slice(-GUARD));
  return isHalf && Number(kept.at(-1)) % 2 === 0 ? kept : value.toFixed(digits);
}

function milliseconds(value) {
  if (value >= 99.95) return fixed(value, 0).replace(/\B(?=(\d{3})+$)/g, ",");
  if (value >= 9.995) return fixed(value, 1);
  return value >= 0.9995 ? fixed(value, 2) : fixed(value, 3);
}

function metric(value) {
  return fixed(value, 3);
}

// The decision: a budget, and for each device the most accurate row that keeps it.

const STEPS = 400;
const BUDGET_ON = [["latency_median_ms", "median"], ["latency_p90_ms", "90th percentile"], ["latency_p99_ms", "99th percentile"]];
const MOST_PICKS = 24;
const FRAME_MS = 33.3; // 30 frames a second: marked, and where the slider begins if the rows lie around it

// Budgets have three digits, as a person would say them, and are spread evenly by ratio.
function budgetScale() {
  const values = ALL.filter((row) => RANKED.has(text(row, "status"))).map((row) => number(row, "latency_median_ms")).filter((value) => value > 0);
  const low = values.reduce((a, b) => Math.min(a, b), Infinity);
  const high = values.reduce((a, b) => Math.max(a, b), 0);
  if (!high) return null;
  const [from, to] = [Math.log(low * 0.97), Math.log(high * 1.03)];
  const frame = Math.round(((Math.log(FRAME_MS) - from) / (to - from)) * STEPS);
  return {
    low,
    high,
    value: (step) => step === frame ? FRAME_MS : Number(Math.exp(from + (step / STEPS) * (to - from)).toPrecision(3)),
    step: (value) => Math.round(((Math.log(value) - from) / (to - from)) * STEPS),
  };
}

function makeBudget(host, state, changed) {
  const scale = budgetScale();
  if (!scale) {
    host.append(h("p", { class: "note" }, "No cell has a latency, so there is nothing to hold against a budget."));
    return;
  }
  const shown = h("output", { for: "budget-slider", id: "budget-value" });
  const slider = h("input", { type: "range", id: "budget-slider", min: 0, max: STEPS, step: 1 });
  const speeds = BUDGET_ON.filter(([name]) => ALL.some((row) => known(row, name)));
  const measure = h("select", { id: "budget-on" }, speeds.map(([name, title]) => h("option", { value: name }, title)));
  const update = () => {
    state.budget = scale.value(Number(slider.value));
    state.speed = measure.value;
    shown.textContent = `${milliseconds(state.budget)} ms`;
    slider.setAttribute("aria-valuetext", shown.textContent);
  };
  slider.value = firstStep(scale);
  update();
  for (const control of [slider, measure]) control.addEventListener("input", () => { update(); changed(); });
  host.append(h("div", { class: "budget-bar" },
    h("label", { for: "budget-slider" }, "Latency budget"), h("div", { class: "slider" }, slider, frameMark(scale)), shown,
    h("label", { class: "inline", for: "budget-on" }, "for the", measure)));
}

const isInside = (scale) => FRAME_MS >= scale.low && FRAME_MS <= scale.high;

// A budget that some rows keep and others need not: 30 frames a second, or what the most accurate trusted row takes.
function firstStep(scale) {
  if (isInside(scale)) return scale.step(FRAME_MS);
  const able = ALL.filter((row) => takesPart(row));
  const trusted = able.filter((row) => text(row, "verdict") === "trusted");
  const row = best(trusted.length ? trusted : able, "latency_median_ms");
  return row === null ? STEPS : Math.min(STEPS, scale.step(number(row, "latency_median_ms")) + 1);
}

function frameMark(scale) {
  if (isInside(scale)) {
    const mark = h("span", { class: "frame-mark" }, "33 ms");
    mark.style.left = `calc(${scale.step(FRAME_MS) / STEPS} * (100% - 16px) + 8px)`; // the thumb's middle stays inside
    return mark;
  }
  return h("span", { class: "frame-note" }, FRAME_MS > scale.high ? "All rows are faster than 33 ms, which is 30 frames a second." : "No row keeps 33 ms, which is 30 frames a second.");
}

function drawDecision(host, state) {
  const found = groups(state.rows)
    .map((group) => ({ group, ...choose(group, state.budget, state.speed) }))
    .filter((one, _, all) => one.measured && (one.hasMap || !all.some((other) => other.hasMap && text(other.group[0], "device") === text(one.group[0], "device"))))
    .sort((a, b) => (b.ship !== null) - (a.ship !== null) || Number(b.hasMap) - Number(a.hasMap));
  state.picks = new Set(found.map((one) => one.ship).filter((row) => row !== null));
  host.replaceChildren(...found.slice(0, MOST_PICKS).map((one) => decisionCard(one, state)));
  if (found.length > MOST_PICKS) host.append(h("p", { class: "quiet" }, `and ${found.length - MOST_PICKS} more: filter by device to see them`));
  if (!found.length) host.append(h("p", { class: "note" }, "No row of this selection ran on its delegate with right outputs and a steady latency, so nothing can be recommended."));
}

function decisionCard(one, state) {
  const row = one.ship ?? one.group[0];
  const name = h("h3", {}, text(row, "device"));
  const where = one.hasMap ? `mAP on ${text(row, "dataset")}, ${text(row, "n_images")} images` : "no accuracy was measured";
  const parts = one.ship === null ? [nothingFits(one, state)] : [sentence(one, state), pickFacts(one.ship), doubts(one), nextStep(one, state)];
  return h("article", { class: `card pick ${one.ship === null ? "none" : one.isTrusted ? "good" : "warn"}` }, name, h("p", { class: "quiet small" }, where), parts);
}

const speedName = (state) => BUDGET_ON.find(([name]) => name === state.speed)[1];
const rowLink = (row) => h("a", { href: `#row-${row}` }, h("strong", {}, soft(text(row, "model"))), ` on ${text(row, "delegate_requested")}`);

function sentence(one, state) {
  const row = one.ship;
  const reached = one.hasMap ? `the highest mAP, ${text(row, "map")}, ` : "the fastest row measured, ";
  if (!one.isTrusted) return [h("p", { class: "answer" }, h("strong", {}, "Nothing can be shipped on these figures yet"), `: ${whyNot(one)} Measure again before you ship the best of them, `, rowLink(row), ` (${text(row, state.speed)} ms${one.hasMap ? `, mAP ${text(row, "map")}` : ""}).`)];
  return h("p", { class: "answer" }, "Ship ", rowLink(row), `: ${reached}within ${milliseconds(state.budget)} ms (its ${speedName(state)} is ${text(row, state.speed)} ms).`);
}

// The verdicts of the rows that fit, with their number: why none of them is recommended.
function whyNot(one) {
  const words = new Map();
  for (const row of one.fits) words.set(label(row), (words.get(label(row)) || 0) + 1);
  if (one.fits.length === 1) return `the only row within the budget is ${[...words.keys()][0]}.`;
  return `of the ${one.fits.length} rows within the budget none is trusted (${[...words].map(([word, count]) => `${count} ${word}`).join(", ")}).`;
}

function pickFacts(row) {
  const pairs = [["mAP", "map"], ["median ms", "latency_median_ms"], ["p90 ms", "latency_p90_ms"], ["frames/s", "fps"], ["size", "size_bytes"], ["peak MiB", "peak_memory_mb"]];
  const shown = pairs.filter(([, name]) => text(row, name) !== DATA.missing).map(([title, name]) => [title, text(row, name)]);
  return [facts(shown, "figures"), h("p", { class: "small" }, badge(row), ` ran on ${text(row, "delegate_actual")}`)];
}

function doubts(one) {
  const reasons = one.isTrusted ? [] : text(one.ship, "reasons").split("\n").filter(Boolean).slice(0, 2);
  if (one.doubtful) reasons.push(`${one.doubtful} more accurate row(s) within the budget cannot be trusted as measured, and are passed over.`);
  return reasons.length ? h("ul", { class: "small reasons" }, reasons.map((reason) => h("li", {}, whole(reason)))) : null;
}

function nextStep(one, state) {
  if (!one.next) return null;
  const gain = one.hasMap ? `mAP ${text(one.next, "map")} ` : "";
  return h("p", { class: "small quiet" }, `Next step up: ${gain}at ${text(one.next, state.speed)} ms, `, rowLink(one.next), ".");
}

function nothingFits(one, state) {
  const fastest = one.next;
  return h("p", { class: "answer" }, `Nothing fits ${milliseconds(state.budget)} ms. `, fastest !== null && "The fastest needs ", fastest !== null && `${text(fastest, state.speed)} ms: `, fastest !== null && rowLink(fastest));
}

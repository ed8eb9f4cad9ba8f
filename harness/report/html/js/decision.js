// The decision: a budget, and for each device the most accurate row that keeps it.

const STEPS = 400;
const BUDGET_ON = [["latency_median_ms", "median"], ["latency_p90_ms", "90th percentile"], ["latency_p99_ms", "99th percentile"]];
const MOST_PICKS = 24;
const FRAME_MS = 33.3; // 30 frames a second: where the slider begins, if the cells lie around it

// Budgets have three digits, as a person would say them, and are spread evenly by ratio.
function budgetScale() {
  const values = ALL.filter((row) => RANKED.has(text(row, "status"))).map((row) => number(row, "latency_median_ms")).filter((value) => value > 0);
  const low = values.reduce((a, b) => Math.min(a, b), Infinity);
  const high = values.reduce((a, b) => Math.max(a, b), 0);
  if (!high) return null;
  const [from, to] = [Math.log(low * 0.8), Math.log(high * 1.5)];
  return {
    value: (step) => Number(Math.exp(from + (step / STEPS) * (to - from)).toPrecision(3)),
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
  slider.value = Math.max(0, Math.min(STEPS, scale.step(FRAME_MS)));
  update();
  for (const control of [slider, measure]) control.addEventListener("input", () => { update(); changed(); });
  host.append(h("div", { class: "budget-bar" },
    h("label", { for: "budget-slider" }, "Latency budget"), slider, shown,
    h("label", { class: "inline", for: "budget-on" }, "for the", measure)));
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
const rowLink = (row) => h("a", { href: `#row-${row}` }, h("strong", {}, text(row, "model")), ` on ${text(row, "delegate_requested")}`);

function sentence(one, state) {
  const row = one.ship;
  const reached = one.hasMap ? `the highest mAP, ${text(row, "map")}, ` : "the fastest row measured, ";
  const start = one.isTrusted ? "Ship " : "No trusted row fits. Measure again before you ship the best of the others, ";
  return h("p", { class: "answer" }, start, rowLink(row), `: ${reached}within ${milliseconds(state.budget)} ms (its ${speedName(state)} is ${text(row, state.speed)} ms).`);
}

function pickFacts(row) {
  const pairs = [["mAP", "map"], ["median ms", "latency_median_ms"], ["p90 ms", "latency_p90_ms"], ["frames/s", "fps"], ["size", "size_bytes"], ["peak MiB", "peak_memory_mb"]];
  const shown = pairs.filter(([, name]) => text(row, name) !== DATA.missing).map(([title, name]) => [title, text(row, name)]);
  return [facts(shown, "figures"), h("p", { class: "small" }, badge(row), ` ran on ${text(row, "delegate_actual")}`)];
}

function doubts(one) {
  const reasons = one.isTrusted ? [] : text(one.ship, "reasons").split("\n").filter(Boolean).slice(0, 2);
  if (one.doubtful) reasons.push(`${one.doubtful} more accurate row(s) within the budget cannot be trusted as measured, and are passed over.`);
  return reasons.length ? h("ul", { class: "small reasons" }, reasons.map((reason) => h("li", {}, reason))) : null;
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

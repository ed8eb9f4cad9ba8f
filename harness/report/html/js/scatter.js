// Every measured cell as a point: latency to the right, accuracy upward, the Pareto front as a line.

const MOST_POINTS = 1500; // More points than this hide each other; those of the front are always drawn.
const MOST_BARS = 300;

function drawScatter(host, state) {
  const measured = state.rows.filter((row) => RANKED.has(text(row, "status")) && known(row, "latency_median_ms") && known(row, "map"));
  host.replaceChildren();
  if (!measured.length) {
    host.append(h("p", { class: "quiet" }, "No cell of this selection has both a latency and an mAP, so there is nothing to weigh against each other."));
    return;
  }
  const optimal = front(measured);
  const others = measured.filter((row) => !optimal.has(row)).slice(-MOST_POINTS);
  const rows = [...others, ...optimal];
  const series = scatterSeries(measured);
  const plot = h("div", { class: "plot" });
  const tip = h("div", { class: "tip", hidden: true, "aria-hidden": "true" });
  const note = `★ and the line: no other row of its device is both faster and more accurate (☆ in the table: by its figures, but not shown). Bars: 95 % intervals. Hollow: not to be trusted as measured. Ringed: what to ship.${
    rows.length < measured.length ? ` ${rows.length} of ${measured.length} cells are drawn (the front and the last ones): filter to see others.` : ""}`;
  host.append(scatterLegend(series), plot, tip, h("p", { class: "quiet small" }, note, " Arrow keys go from point to point."));
  onWidth(plot, (width) => plot.replaceChildren(scatterPlot(width, rows, optimal, series, state, tip)));
}

// One device: colour and shape both say the delegate. Several: colour says the device, shape the delegate.
function scatterSeries(rows) {
  const devices = different("device", rows);
  const kinds = [...new Set(rows.map(delegateKind))];
  const several = devices.length > 1;
  return {
    devices: several ? devices : [],
    kinds,
    colour: (row) => colour(several ? devices.indexOf(text(row, "device")) : kinds.indexOf(delegateKind(row))),
    shape: (row) => SHAPES[kinds.indexOf(delegateKind(row)) % SHAPES.length],
  };
}

function scatterLegend({ devices, kinds }) {
  const mark = (shape, className) => s("svg", { width: 16, height: 16, viewBox: "-8 -8 16 16", "aria-hidden": "true" }, s("path", { d: shape(5), class: className }));
  const entry = (name, shape, className) => h("li", {}, mark(shape, className), name);
  return h("ul", { class: "legend", "aria-label": "Legend" },
    kinds.map((name, index) => entry(name, SHAPES[index % SHAPES.length], devices.length ? "mono" : colour(index))),
    devices.slice(0, 12).map((name, index) => entry(name, SHAPES[0], colour(index))),
    devices.length > 12 && h("li", {}, `and ${devices.length - 12} more devices`));
}

const extent = (rows, ...names) => {
  const values = rows.flatMap((row) => names.map((name) => number(row, name))).filter((value) => value !== null);
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
};

function scatterPlot(width, rows, optimal, series, state, tip) {
  const height = Math.round(Math.min(460, Math.max(300, width * 0.5)));
  const { x, y } = scatterScales(width, height, rows);
  const svg = frame(width, height, x, y, "");
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", `Scatter of ${rows.length} cells: accuracy against latency`);
  drawBudget(svg, x, height, state.budget);
  for (const group of groups([...optimal])) drawFront(svg, group, x, y, series);
  if (rows.length <= MOST_BARS) rows.forEach((row) => drawBars(svg, row, x, y, series));
  const points = rows.map((row) => scatterPoint(row, x, y, optimal, series, state));
  const layer = s("g", {}, points);
  svg.append(layer);
  drawNames(svg, [...optimal], x, y, width);
  walkable(layer, points, rows, tip);
  return svg;
}

function scatterScales(width, height, rows) {
  const ranges = inner(width, height);
  let [fast, slow] = extent(rows, "latency_median_ms", "latency_median_low_ms", "latency_median_high_ms");
  let [low, high] = extent(rows, "map", "map_low", "map_high");
  const wide = slow / fast > 6;
  [fast, slow] = wide ? [fast / 1.2, slow * 1.2] : [Math.max(0, fast - (slow - fast || fast) * 0.1), slow + (slow - fast || slow) * 0.1];
  const room = Math.max((high - low) * 0.12, 0.01);
  [low, high] = [Math.max(0, low - room), Math.min(1, high + room)];
  const xScale = (wide ? logarithmic : linear)([fast, slow], ranges.x);
  const count = Math.max(4, Math.floor(width / 90));
  const xTicks = (wide ? logTicks : ticks)([fast, slow], count);
  return {
    x: { scale: xScale, ticks: xTicks, form: tickMs, title: `median latency, ms${wide ? " (log scale)" : ""}  → slower` },
    y: { scale: linear([low, high], ranges.y), ticks: ticks([low, high], 5), form: metric, title: "mAP" },
  };
}

// A tick is a round number: "2" says as much as "2.00".
const tickMs = (value) => { const told = milliseconds(value); return told.includes(".") ? told.replace(/\.?0+$/, "") : told; };

function drawBudget(svg, x, height, budget) {
  const at = x.scale(budget);
  const [left, right] = inner(Number(svg.getAttribute("width")), height).x;
  if (at < right) svg.append(s("rect", { class: "beyond", x: Math.max(at, left), y: MARGIN.top, width: right - Math.max(at, left), height: height - MARGIN.bottom - MARGIN.top }));
  if (at > left && at < right) svg.append(s("line", { class: "budget", x1: at, x2: at, y1: MARGIN.top, y2: height - MARGIN.bottom }));
}

// Between two points of the front the best that can be had is the slower one's left neighbour: a staircase.
function drawFront(svg, group, x, y, series) {
  const ordered = group.sort(bySpeed("latency_median_ms"));
  const points = ordered.flatMap((row, index) => {
    const at = [x.scale(number(row, "latency_median_ms")), y.scale(number(row, "map"))];
    return index ? [[at[0], y.scale(number(ordered[index - 1], "map"))], at] : [at];
  });
  svg.append(s("path", { class: `front ${series.devices.length ? series.colour(ordered[0]) : "c-front"}`, d: path(points) }));
}

function drawBars(svg, row, x, y, series) {
  const at = [x.scale(number(row, "latency_median_ms")), y.scale(number(row, "map"))];
  const bar = (x1, x2, y1, y2) => svg.append(s("line", { class: `bar ${series.colour(row)}`, x1, x2, y1, y2 }));
  const [left, right] = [number(row, "latency_median_low_ms"), number(row, "latency_median_high_ms")];
  const [low, high] = [number(row, "map_low"), number(row, "map_high")];
  if (left !== null && right !== null) bar(x.scale(left), x.scale(right), at[1], at[1]);
  if (low !== null && high !== null) bar(at[0], at[0], y.scale(low), y.scale(high));
}

function scatterPoint(row, x, y, optimal, series, state) {
  const marks = [series.colour(row), optimal.has(row) ? "optimal" : "other", state.picks.has(row) ? "picked" : "", label(row) === "trusted" ? "" : "doubt"];
  const place = `translate(${x.scale(number(row, "latency_median_ms")).toFixed(1)},${y.scale(number(row, "map")).toFixed(1)})`;
  const size = optimal.has(row) ? 6.5 : 5;
  return s("a", { href: `#row-${row}`, class: `point ${marks.join(" ")}`, transform: place, tabindex: -1, "data-row": row, "aria-label": describe(row) },
    s("path", { class: "halo", d: SHAPES[0](11) }), s("path", { d: series.shape(row)(size) }));
}

const describe = (row) =>
  `${text(row, "model")} on ${text(row, "delegate_requested")}, ${text(row, "device")}: mAP ${text(row, "map")}, median ${text(row, "latency_median_ms")} ms, ${label(row)}`;

// The names of the front's points, where they do not lie on each other.
function drawNames(svg, rows, x, y, width) {
  const taken = [];
  if (width < 520) return;
  for (const row of rows.sort((a, b) => number(b, "map") - number(a, "map")).slice(0, 40)) {
    const name = `${text(row, "model")} · ${text(row, "delegate_requested")}`;
    const [left, base] = [x.scale(number(row, "latency_median_ms")) + 11, y.scale(number(row, "map")) - 9];
    const box = [left, base - 12, left + Math.min(name.length, 34) * 6.6, base + 4];
    const clash = taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1]);
    if (clash || box[2] > width) continue;
    taken.push(box);
    svg.append(s("text", { class: "name", x: left, y: base }, name.length > 34 ? `${name.slice(0, 33)}…` : name));
  }
}

// One stop of the tabulator for all points; the arrow keys go from one to the next by latency.
function walkable(layer, points, rows, tip) {
  const order = points.map((_, index) => index).sort((a, b) => bySpeed("latency_median_ms")(rows[a], rows[b]));
  points[order[0]].setAttribute("tabindex", 0);
  const show = (point) => showTip(tip, point);
  layer.addEventListener("pointerover", (event) => { const point = event.target.closest(".point"); if (point) show(point); });
  layer.addEventListener("pointerout", () => { tip.hidden = true; });
  layer.addEventListener("focusin", (event) => show(event.target.closest(".point")));
  layer.addEventListener("focusout", () => { tip.hidden = true; });
  layer.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const now = order.indexOf(points.indexOf(event.target.closest(".point")));
    const next = points[order[(now + step + order.length) % order.length]];
    points.forEach((point) => point.setAttribute("tabindex", -1));
    next.setAttribute("tabindex", 0);
    next.focus({ preventScroll: true });
  });
}

function showTip(tip, point) {
  const row = Number(point.dataset.row);
  const interval = known(row, "map_low") && known(row, "map_high") ? ` (${text(row, "map_low")}–${text(row, "map_high")})` : "";
  tip.replaceChildren(
    h("strong", {}, text(row, "model")),
    h("div", {}, `${text(row, "delegate_requested")} on ${text(row, "device")}`),
    h("div", {}, `mAP ${text(row, "map")}${interval}`),
    h("div", {}, `median ${text(row, "latency_median_ms")} ms (${text(row, "latency_median_low_ms")}–${text(row, "latency_median_high_ms")})`),
    badge(row));
  tip.hidden = false;
  const host = tip.parentElement.getBoundingClientRect();
  const at = point.getBoundingClientRect();
  const left = Math.min(at.left - host.left + at.width + 6, host.width - tip.offsetWidth - 8);
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${Math.max(4, at.top - host.top - tip.offsetHeight - 6)}px`;
}

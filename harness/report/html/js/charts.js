// The charts of one cell, from what Python made of its raw samples.

const CHART = 220;

function chart(title, note, draw, className = "") {
  const plot = h("div", { class: "plot" });
  onWidth(plot, (width) => plot.replaceChildren(draw(width)));
  return h("figure", { class: `chart ${className}` }, h("figcaption", {}, h("strong", {}, title), note && h("span", { class: "quiet small" }, ` ${note}`)), plot);
}

function histogramChart(found) {
  const note = `${found.n} steady inferences of all processes${found.above === "0" ? "" : `; ${found.above} more lie above`}`;
  return chart("Distribution", note, (width) => {
    const ranges = inner(width, CHART);
    const most = Math.max(...found.counts);
    const x = axisMs([found.low, found.high], ranges.x, width);
    const y = { scale: linear([0, most], ranges.y), ticks: ticks([0, most], 3), form: String, title: "inferences" };
    const svg = frame(width, CHART, x, y, `Histogram of latency: ${note}`);
    const step = (found.high - found.low) / found.counts.length;
    found.counts.forEach((count, index) => {
      const [left, right] = [x.scale(found.low + index * step), x.scale(found.low + (index + 1) * step)];
      svg.append(s("rect", { class: "column", x: left, width: Math.max(0.5, right - left - 1), y: y.scale(count), height: y.scale(0) - y.scale(count) }));
    });
    return svg;
  });
}

const axisMs = (domain, range, width) =>
  ({ scale: linear(domain, range), ticks: ticks(domain, Math.max(3, Math.floor(width / 110))), form: tickMs, title: "ms" });

// One line a process: 5th to 95th percentile, a box over the middle half, a mark at the median.
function processChart(boxes) {
  const drawn = boxes.filter((box) => box.levels && box.levels[2] !== null);
  if (!drawn.length) return null;
  const note = "5th to 95th percentile, the middle half, the median";
  return chart("From process to process", note, (width) => {
    const height = 58 + drawn.length * 22;
    const values = drawn.flatMap((box) => box.levels.filter((value) => value !== null));
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const room = (high - low || high) * 0.05;
    const x = axisMs([low - room, high + room], inner(width, height).x, width);
    const svg = frame(width, height, x, { ticks: [] }, `Latency of ${drawn.length} processes: medians ${drawn.map((box) => box.median).join(", ")} ms`);
    drawn.forEach((box, index) => svg.append(processBox(box, x.scale, 22 + index * 22)));
    return svg;
  });
}

function processBox({ process, levels }, scale, y) {
  const [p5, p25, p50, p75, p95] = levels.map((value) => (value === null ? null : scale(value)));
  return s("g", {},
    s("text", { class: "tick", x: MARGIN.left - 8, y: y + 4, "text-anchor": "end" }, `#${process}`),
    p5 !== null && p95 !== null && s("line", { class: "whisker", x1: p5, x2: p95, y1: y, y2: y }),
    p25 !== null && p75 !== null && s("rect", { class: "box", x: p25, width: Math.max(1, p75 - p25), y: y - 6, height: 12 }),
    s("line", { class: "median", x1: p50, x2: p50, y1: y - 8, y2: y + 8 }));
}

// Latency over time. One colour and dash a process; the band is from the 10th to the 90th percentile.
function traceChart(traces, sustained = null, title = "Over time") {
  const each = Math.max(...traces.map((trace) => trace.each));
  const note = traces[0].note ? traces[0].note : each > 1
    ? `a point: the median of up to ${each} inferences in a row; the band: their 10th to 90th percentile`
    : "every inference is drawn";
  return chart(title, `${note}; faint: warm-up`, (width) => {
    const height = sustained ? 280 : CHART + 20;
    const ranges = inner(width, height);
    const end = Math.max(...traces.map((trace) => trace.s.at(-1)));
    const tops = traces.flatMap((trace) => trace.mid.slice(Math.min(trace.steady, trace.mid.length - 1))).sort((a, b) => a - b);
    const domain = [tops[0] * 0.96, Math.max(tops[Math.floor(tops.length * 0.99)] * 1.15, tops[0] * 1.05)];
    const x = { scale: linear([0, end || 1], ranges.x), ticks: ticks([0, end || 1], Math.max(3, Math.floor(width / 110))), form: String, title: traces[0].note ? "s since the load began" : "s since the process's first inference" };
    const y = { scale: clamped(linear(domain, ranges.y), ranges.y), ticks: ticks(domain, 4), form: tickMs, title: "ms" };
    const svg = frame(width, height, x, y, `${title}: latency of ${traces.length} process(es) over ${end} s`);
    if (sustained) drawEnds(svg, sustained, x.scale, y.scale, end, height - MARGIN.bottom);
    traces.forEach((trace, index) => svg.append(drawTrace(trace, index, x.scale, y.scale, traces.length === 1)));
    return svg;
  }, "wide");
}

// A spike is drawn at the edge instead of making everything else flat.
const clamped = (scale, [bottom, top]) => (value) => Math.max(top - 6, Math.min(bottom, scale(value)));

function drawTrace(trace, index, x, y, isOnly) {
  const points = (values, from, to) => values.slice(from, to).map((value, i) => [x(trace.s[from + i]), y(value)]);
  const last = trace.s.length;
  const band = [...points(trace.high, 0, last), ...points(trace.low, 0, last).reverse()];
  const line = (from, to, extra) => from < to && s("path", { class: `line ${colour(index)} ${extra}`, d: path(points(trace.mid, from, to)), "stroke-dasharray": DASHES[index % DASHES.length] });
  return s("g", {},
    trace.each > 1 && s("path", { class: `band ${colour(index)} ${isOnly ? "only" : ""}`, d: `${path(band)}Z` }),
    line(0, Math.min(trace.steady + 1, last), "warm"), line(trace.steady, last, ""));
}

// Both ends of a long run as level lines, and when it began to change.
function drawEnds(svg, { window_s: window, first_ms: first, last_ms: last, knee_s: knee }, x, y, end, bottom) {
  svg.append(s("line", { class: "end", x1: x(0), x2: x(window), y1: y(first), y2: y(first) }));
  svg.append(s("line", { class: "end", x1: x(Math.max(0, end - window)), x2: x(end), y1: y(last), y2: y(last) }));
  if (knee !== null) svg.append(s("line", { class: "budget", x1: x(knee), x2: x(knee), y1: MARGIN.top, y2: bottom }));
}

// Bars from 0 to 1 with their text: AP by size, AP by class.
function barChart(title, note, entries) {
  return h("figure", { class: "chart" },
    h("figcaption", {}, h("strong", {}, title), note && h("span", { class: "quiet small" }, ` ${note}`)),
    h("ul", { class: "bars" }, entries.map(([name, value, shown]) =>
      h("li", {}, h("span", { class: "bar-name" }, name), meter(value), h("span", { class: "bar-value" }, shown)))));
}

const meter = (value) => s("svg", { class: "meter", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
  s("rect", { class: "meter-back", width: 100, height: 10 }), s("rect", { class: "column", width: Math.max(0, value) * 100, height: 10 }));

// Precision against recall, averaged over the classes, at two overlaps.
function curveChart(curves) {
  const note = "averaged over the classes; solid: IoU 0.50, dashed: IoU 0.75";
  return chart("Precision and recall", note, (width) => {
    const height = 260;
    const ranges = inner(width, height);
    const axis = (range, title, count) => ({ scale: linear([0, 1], range), ticks: ticks([0, 1], count), form: String, title });
    const [x, y] = [axis(ranges.x, "recall", 5), axis(ranges.y, "precision", 5)];
    const svg = frame(width, height, x, y, `Precision–recall curves: ${curves.map((curve) => `IoU ${curve.iou}, AP ${curve.ap}`).join("; ")}`);
    curves.forEach((curve, index) => svg.append(s("path", { class: `line ${colour(index)}`, "stroke-dasharray": index ? "6 4" : "", d: path(curve.precision.map((value, i) => [x.scale(i / (curve.precision.length - 1)), y.scale(value)])) })));
    return svg;
  });
}

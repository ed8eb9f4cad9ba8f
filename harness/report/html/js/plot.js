// Scales, ticks and axes that all charts share. Positions only: no figure of the report is computed here.

function linear([from, to], [start, end]) {
  const span = to - from || 1;
  return (value) => start + ((value - from) / span) * (end - start);
}

function logarithmic([from, to], range) {
  const scale = linear([Math.log(from), Math.log(to)], range);
  return (value) => scale(Math.log(value));
}

// Round values about `count` of which cover the domain: 1, 2 and 5 times a power of ten.
function ticks([from, to], count) {
  const rough = (to - from || 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => power * factor >= rough);
  const found = [];
  for (let k = Math.ceil(from / step); k * step <= to + step * 1e-9; k += 1) found.push(Number((k * step).toPrecision(12)));
  return found;
}

function logTicks([from, to], count) {
  const found = [];
  for (let power = Math.floor(Math.log10(from)); power <= Math.log10(to); power += 1) {
    for (const factor of [1, 2, 5]) found.push(Number((factor * 10 ** power).toPrecision(12)));
  }
  const inside = found.filter((value) => value >= from && value <= to);
  if (inside.length < 3) return ticks([from, to], count);
  return inside.length > count * 1.5 ? inside.filter((value) => /^[01.]+$/.test(String(value))) : inside;
}

const MARGIN = { top: 12, right: 14, bottom: 40, left: 54 };

// A frame with both axes; `x` and `y` are { scale, ticks, form, title }.
function frame(width, height, x, y, name) {
  const { top, right, bottom, left } = MARGIN;
  const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": name });
  for (const value of y.ticks) {
    const at = y.scale(value);
    svg.append(s("line", { class: "grid", x1: left, x2: width - right, y1: at, y2: at }));
    svg.append(s("text", { class: "tick", x: left - 8, y: at + 4, "text-anchor": "end" }, y.form(value)));
  }
  for (const value of x.ticks) {
    const at = x.scale(value);
    svg.append(s("line", { class: "grid faint", x1: at, x2: at, y1: top, y2: height - bottom }));
    svg.append(s("text", { class: "tick", x: at, y: height - bottom + 17, "text-anchor": "middle" }, x.form(value)));
  }
  svg.append(s("line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }));
  svg.append(s("text", { class: "axis-title", x: width - right, y: height - 6, "text-anchor": "end" }, x.title));
  if (y.title) svg.append(s("text", { class: "axis-title", x: left, y: top - 2, "text-anchor": "start" }, y.title));
  return svg;
}

const inner = (width, height) => ({ x: [MARGIN.left, width - MARGIN.right], y: [height - MARGIN.bottom, MARGIN.top + 8] });

const path = (points) => points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`).join("");

// Series differ in colour and in shape or dash, so that no one needs to see colours.
const SHAPES = [
  (r) => `M0,${-r}A${r},${r} 0 1 1 0,${r}A${r},${r} 0 1 1 0,${-r}Z`,
  (r) => `M${-r * 0.9},${-r * 0.9}h${r * 1.8}v${r * 1.8}h${-r * 1.8}Z`,
  (r) => `M0,${-r * 1.25}L${r * 1.15},${r * 0.85}H${-r * 1.15}Z`,
  (r) => `M0,${-r * 1.3}L${r * 1.3},0L0,${r * 1.3}L${-r * 1.3},0Z`,
  (r) => `M0,${r * 1.25}L${r * 1.15},${-r * 0.85}H${-r * 1.15}Z`,
  (r) => `M${-r * 0.4},${-r * 1.2}h${r * 0.8}v${r * 0.8}h${r * 0.8}v${r * 0.8}h${-r * 0.8}v${r * 0.8}h${-r * 0.8}v${-r * 0.8}h${-r * 0.8}v${-r * 0.8}h${r * 0.8}Z`,
];
const DASHES = ["", "6 3", "2 3", "8 3 2 3", "1 2", "10 4"];
const COLOURS = 7;
const colour = (index) => `c${index % COLOURS}`;

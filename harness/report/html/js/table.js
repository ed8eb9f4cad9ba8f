// The table of all rows: sorted, filtered, in pages of fifty, so that ten thousand rows stay quick.

const PAGE = 50;
// `low` columns are left out where the screen is narrow; they stand in the row's details.
const SHOWN = [
  { name: "model", title: "Model" },
  { name: "device", title: "Device", low: true },
  { name: "delegate_requested", title: "Delegate" },
  { name: "status", title: "Verdict", get: label, low: true },
  { name: "map", title: "mAP", unit: "0…1", numeric: true },
  { name: "ap50", title: "AP50", unit: "0…1", numeric: true, low: true },
  { name: "latency_median_ms", title: "Median", unit: "ms", numeric: true },
  { name: "latency_p90_ms", title: "p90", unit: "ms", numeric: true, low: true },
  { name: "fps", title: "Rate", unit: "1/s", numeric: true, low: true },
  { name: "peak_memory_mb", title: "Peak", unit: "MiB", numeric: true, low: true },
  { name: "init_ms", title: "Loading", unit: "ms", numeric: true, low: true },
  { name: "size_bytes", title: "Size", numeric: true, low: true },
  { name: "run_id", title: "Run", low: true },
];

const isShown = ({ name, numeric }) => {
  if (["device", "run_id"].includes(name)) return different(name).length > 1;
  return !numeric || ALL.some((row) => known(row, name));
};

// Rows without figures of their own delegate are never ranked: whatever the order, they come last.
function sortRows(rows, name, descending) {
  const column = COLUMN[name];
  const shown = SHOWN.find((one) => one.name === name);
  const get = shown && shown.get ? shown.get : (row) => text(row, name);
  const value = column.raw ? (row) => column.raw[row] : get;
  const last = column.raw ? (row) => (RANKED.has(text(row, "status")) ? 0 : 1) + (value(row) === null ? 2 : 0) : () => 0;
  const keys = rows.map((row) => ({ row, last: last(row), value: value(row) }));
  const collator = new Intl.Collator("en", { numeric: true });
  const compare = column.raw ? (a, b) => a - b : (a, b) => collator.compare(a, b);
  const sign = descending ? -1 : 1;
  const time = COLUMN.latency_median_ms.raw || [];
  const tie = (a, b) => (time[a.row] ?? Infinity) - (time[b.row] ?? Infinity) || a.row - b.row;
  keys.sort((a, b) => a.last - b.last || (a.value === b.value ? 0 : sign * compare(a.value, b.value)) || tie(a, b));
  return keys.map((key) => key.row);
}

function makeTable(host, state) {
  const columns = SHOWN.filter(isShown);
  const head = h("tr", {}, columns.map((column) => tableHead(column, state, host)));
  const body = h("tbody", {});
  const pager = h("nav", { class: "pager", "aria-label": "Pages of the table" });
  const summary = h("p", { class: "quiet small", "aria-live": "polite", id: "shown" });
  const table = h("table", { class: "results" }, h("caption", { class: "hidden" }, "All cells with their verdicts and figures; a row's button opens its evidence"), h("thead", {}, head), body);
  host.append(summary, h("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": "Table of results" }, table), pager);
  const draw = () => drawTable({ columns, head, body, pager, summary }, state, draw);
  host.addEventListener("sort", draw);
  return draw;
}

function tableHead(column, state, host) {
  const press = () => {
    const same = state.sort.name === column.name;
    const first = column.name === "map" || column.name === "ap50" || column.name === "fps";
    state.sort = { name: column.name, descending: same ? !state.sort.descending : first };
    state.page = 0;
    host.dispatchEvent(new Event("sort"));
  };
  return h("th", { scope: "col", class: `${column.numeric ? "n" : ""} ${column.low ? "low" : ""}`, "data-column": column.name },
    h("button", { type: "button", onclick: press, title: COLUMN[column.name].meaning }, column.title, h("span", { class: "arrow", "aria-hidden": "true" }), column.unit && h("span", { class: "unit" }, column.unit)));
}

function drawTable(parts, state, again) {
  const sorted = sortRows(state.rows, state.sort.name, state.sort.descending);
  state.order = sorted;
  const pages = Math.max(1, Math.ceil(sorted.length / PAGE));
  state.page = Math.min(state.page, pages - 1);
  const rows = sorted.slice(state.page * PAGE, (state.page + 1) * PAGE);
  for (const th of parts.head.children) {
    const own = th.dataset.column === state.sort.name;
    if (own) th.setAttribute("aria-sort", state.sort.descending ? "descending" : "ascending");
    else th.removeAttribute("aria-sort");
  }
  parts.body.replaceChildren(...rows.flatMap((row) => tableRow(row, parts.columns, state, again)));
  parts.summary.textContent = `${state.rows.length.toLocaleString("en")} of ${DATA.n.toLocaleString("en")} cells`;
  drawPager(parts.pager, pages, state, again);
}

function tableRow(row, columns, state, again) {
  const isOpen = state.open.has(row);
  const toggle = () => {
    if (isOpen) state.open.delete(row);
    else state.open.add(row);
    again();
    byId(`open-${row}`).focus({ preventScroll: true });
  };
  const kind = RANKED.has(text(row, "status")) ? "" : "unranked";
  const cells = columns.map((column, index) => (index ? tableCell(row, column) : firstCell(row, isOpen, toggle, state)));
  const own = h("tr", { id: `row-${row}`, class: `${kind} ${isOpen ? "is-open" : ""}` }, cells);
  return isOpen ? [own, h("tr", { class: "more" }, h("td", { colspan: columns.length, id: `detail-${row}` }, drawDetail(row)))] : [own];
}

function firstCell(row, isOpen, toggle, state) {
  const isShown = state.shown.has(row);
  const star = state.optimal.has(row) ? h("span", { class: "star" }, isShown ? "★" : "☆", h("span", { class: "hidden" }, isShown ? " Pareto-optimal" : " Pareto-optimal, but not shown")) : null;
  const button = h("button", { type: "button", class: "open", id: `open-${row}`, "aria-expanded": isOpen, "aria-controls": isOpen ? `detail-${row}` : null, onclick: toggle },
    h("span", { class: "chevron", "aria-hidden": "true" }), star, h("span", {}, soft(text(row, "model"))), h("span", { class: "hidden" }, ": evidence and details"));
  return h("th", { scope: "row" }, button, h("div", { class: "quiet small" }, text(row, "quantization")));
}

function tableCell(row, column) {
  const classes = `${column.numeric ? "n" : ""} ${column.low ? "low" : ""}`;
  return h("td", { class: classes }, cellContent(row, column));
}

function cellContent(row, { name }) {
  if (name === "status") return badge(row);
  if (name === "delegate_requested") {
    const ran = text(row, "delegate_actual");
    return [text(row, name), h("div", { class: `small ${text(row, "status") === "fallback" ? "fell" : "quiet"}` }, `ran: ${ran}`), h("div", { class: "narrow" }, badge(row))];
  }
  if (name === "latency_median_ms" && known(row, name)) {
    const [low, high] = [text(row, "latency_median_low_ms"), text(row, "latency_median_high_ms")];
    return [text(row, name), low !== DATA.missing && h("div", { class: "small quiet" }, `${low}–${high}`)];
  }
  if (name === "map" && known(row, "map_low")) return [text(row, name), h("div", { class: "small quiet" }, `${text(row, "map_low")}–${text(row, "map_high")}`)];
  return text(row, name);
}

function drawPager(nav, pages, state, again) {
  nav.hidden = pages === 1;
  const go = (page, title, name) => h("button", { type: "button", class: "plain", disabled: page < 0 || page >= pages || page === state.page, "aria-label": name, onclick: () => { state.page = page; again(); } }, title);
  nav.replaceChildren(go(0, "« First", "First page"), go(state.page - 1, "‹ Previous", "Previous page"), h("span", { "aria-live": "polite" }, `Page ${state.page + 1} of ${pages}`), go(state.page + 1, "Next ›", "Next page"), go(pages - 1, "Last »", "Last page"));
}

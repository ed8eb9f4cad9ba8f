// Puts the page together and redraws what depends on the filters, the budget or the order.

const SECTIONS = ["decision", "tradeoff", "results", "pivots", "sustained", "published", "environment"];

function initialSort() {
  const wanted = DATA.sort || (ALL.some((row) => known(row, "map")) ? "-map" : "latency_median_ms");
  return { name: wanted.replace(/^-/, ""), descending: wanted.startsWith("-") };
}

const state = { rows: ALL, optimal: new Set(), shown: new Set(), picks: new Set(), open: new Set(), sort: initialSort(), page: 0, order: ALL, budget: Infinity, speed: "latency_median_ms" };

function start() {
  document.body.dataset.ready = "no";
  const redrawTable = makeTable(byId("table"), state);
  const redrawBudget = () => { drawDecision(byId("picks"), state); drawScatter(byId("scatter"), state); };
  const redraw = () => { state.optimal = front(state.rows); state.shown = shownFront(state.rows, state.optimal); redrawBudget(); redrawTable(); };
  const showAll = makeFilters(byId("filters"), state, redraw);
  makeBudget(byId("budget"), state, soon(redrawBudget));
  redraw();
  drawPivots(byId("pivots"), byId("pivot-tables"));
  drawSustained(byId("sustained"), byId("sustained-chart"));
  drawPublished(byId("published"), byId("published-table"));
  drawEnvironment(byId("facts"));
  drawHead();
  const follow = () => openLinked(redrawTable, showAll);
  window.addEventListener("hashchange", follow);
  document.addEventListener("click", (event) => { if (event.target.closest && event.target.closest(`a[href="${location.hash}"]`)) follow(); });
  follow();
  document.body.dataset.ready = "yes";
}

// A slider moves faster than a screen: draw once a frame.
function soon(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  };
}

// #row-7 opens that row, wherever it is in the table.
function openLinked(redrawTable, showAll) {
  const found = /^#row-(\d+)$/.exec(location.hash);
  const row = found && Number(found[1]);
  if (row === null || row >= DATA.n) return;
  if (!state.rows.includes(row)) showAll();
  state.open.add(row);
  state.page = Math.floor(state.order.indexOf(row) / PAGE);
  redrawTable();
  byId(`row-${row}`).scrollIntoView({ block: "start" });
  byId(`open-${row}`).focus({ preventScroll: true });
}

function drawHead() {
  const count = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;
  byId("title").replaceChildren(...soft(byId("title").textContent));
  byId("subtitle").textContent = [count(DATA.n, "cell"), count(DATA.runs.length, "run"), count(DATA.devices.length, "device"), `made ${DATA.made}`].join(" · ");
  byId("foot").textContent = `Made by ondevice-harness ${DATA.version}. This file asks no network for anything. Latency intervals are 95 % intervals of the median from process to process, quantiles are those of the measured processes; mAP is COCO's.`;
  byId("sections").append(...SECTIONS.filter((id) => !byId(id).hidden).map((id) => h("a", { href: `#${id}` }, byId(`${id}-title`).textContent)));
  const button = byId("theme");
  const dark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const name = () => { button.textContent = dark() ? "Light theme" : "Dark theme"; };
  button.addEventListener("click", () => { document.documentElement.dataset.theme = dark() ? "light" : "dark"; name(); });
  name();
}

start();

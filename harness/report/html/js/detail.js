// Everything known of one row: why it is judged as it is, the proof of what ran, its figures and its charts.

const FIGURES = {
  Latency: ["latency_median_ms", "latency_median_low_ms", "latency_median_high_ms", "latency_mean_ms", "latency_std_ms", "latency_min_ms", "latency_p90_ms", "latency_p95_ms", "latency_p99_ms", "latency_max_ms", "fps", "n_samples", "init_ms", "first_inference_ms", "peak_memory_mb"],
  Accuracy: ["map", "map_low", "map_high", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large", "n_images", "images_per_second"],
  Identity: ["model", "model_sha256", "size_bytes", "quantization", "device", "device_kind", "runtime", "threads", "dataset", "run_id", "started_at"],
};

function drawDetail(row) {
  const more = DATA.details[row];
  return h("div", { class: "detail" },
    h("div", { class: "columns" }, detailReasons(row), detailEvidence(row)),
    more && statusWord(row) && h("p", { class: "small" }, statusWord(row), ". That is what the charts show."),
    more && h("div", { class: "charts" }, detailCharts(row, more)),
    more && more.operators && detailOperators(more.operators, row),
    more && more.boxes.length > 0 && detailProcesses(more, row),
    h("div", { class: "columns" }, Object.entries(FIGURES).map(([title, names]) => detailFigures(row, title, names))),
    !more && h("p", { class: "quiet small" }, `The page carries the samples of ${DATA.most_details} cells, those of the newest runs; this one's are in its run's folder.`));
}

function detailReasons(row) {
  const [reasons, checks] = ["reasons", "checks"].map((name) => text(row, name).split("\n").filter(Boolean));
  return h("section", {}, h("h3", {}, "Verdict "), h("p", {}, badge(row)),
    reasons.length ? h("ul", {}, reasons.map((reason) => h("li", {}, whole(reason)))) : h("p", { class: "quiet" }, "No check found anything to say against it."),
    checks.length > 0 && h("p", { class: "small" }, "Checks of the accuracy that object: ", h("strong", {}, checks.join(", "))));
}

function detailEvidence(row) {
  const nodes = text(row, "delegated_nodes") === DATA.missing ? [] : [["nodes delegated", `${text(row, "delegated_nodes")} of ${text(row, "total_nodes")}`]];
  const told = pick(DATA.evidence, row);
  return h("section", {}, h("h3", {}, "What really ran"),
    facts([["asked for", text(row, "delegate_requested")], ["ran", text(row, "delegate_actual")], ...nodes]),
    told.length ? h("ul", { class: "evidence" }, told.map(([who, line]) => h("li", {}, who && h("span", { class: "quiet" }, `${who}: `), h("code", {}, line)))) : h("p", { class: "quiet" }, "No evidence was recorded."));
}

function detailFigures(row, title, names) {
  const shown = names.filter((name) => text(row, name) !== DATA.missing);
  if (!shown.length) return null;
  const pairs = shown.map((name) => [h("abbr", { title: COLUMN[name].meaning }, name), text(row, name)]);
  if (title === "Identity") pairs.push(...pick(DATA.settings, row).map(([name, value]) => [`setting ${name}`, value]));
  return h("section", {}, h("h3", {}, `${title} `, title === "Identity" ? null : statusWord(row)), facts(pairs));
}

function detailCharts(row, more) {
  const sizes = ["ap_small", "ap_medium", "ap_large"].filter((name) => known(row, name)).map((name) => [name.slice(3), number(row, name), text(row, name)]);
  return [
    more.histogram && histogramChart(more.histogram),
    processChart(more.boxes),
    more.traces.length > 0 && traceChart(more.traces, more.sustained),
    DATA.curves[row] && curveChart(DATA.curves[row]),
    (sizes.length > 0 || more.classes.length > 0) && h("div", { class: "stack" },
      sizes.length > 0 && barChart("AP by object size", "below 32² pixels, to 96², above", sizes),
      more.classes.length > 0 && classChart(more.classes)),
    DATA.worst[row] && worstImages(DATA.worst[row]),
  ];
}

const MOST_CLASSES = 12;
function classChart(classes) {
  const all = barChart("AP by class", `${classes.length} classes, the best first`, classes);
  if (classes.length <= MOST_CLASSES) return all;
  const ends = [...classes.slice(0, MOST_CLASSES / 2), ...classes.slice(-MOST_CLASSES / 2)];
  const short = barChart("AP by class", `the best and worst ${MOST_CLASSES / 2} of ${classes.length}`, ends);
  short.append(h("details", {}, h("summary", {}, `All ${classes.length} classes`), all));
  return short;
}

function detailProcesses(more, row) {
  const head = ["process", "status", "steady inferences", "median ms", "loading ms"];
  const rows = more.boxes.map((box) => h("tr", {}, h("th", { scope: "row" }, box.process), h("td", {}, box.status, box.reasons.length > 0 && `: ${box.reasons.join("; ")}`), h("td", { class: "n" }, box.n), h("td", { class: "n" }, box.median), h("td", { class: "n" }, box.init)));
  return h("details", {}, h("summary", {}, `${more.boxes.length} processes, one by one `, statusWord(row)),
    h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Processes" }, h("table", { class: "small" }, h("thead", {}, h("tr", {}, head.map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, rows))),
    more.telemetry.length > 0 && h("ul", { class: "small quiet" }, more.telemetry.map((line) => h("li", {}, line))));
}

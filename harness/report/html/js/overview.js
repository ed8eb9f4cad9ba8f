// The filters, the sustained runs and the environment: what is said once for all rows.

const FILTERS = [["device", "Device"], ["delegate_requested", "Delegate"], ["quantization", "Quantization"], ["verdict", "Verdict"], ["run_id", "Run"], ["dataset", "Dataset"]];

function makeFilters(form, state, changed) {
  const valueOf = { verdict: label };
  const get = (name) => valueOf[name] || ((row) => text(row, name));
  const selects = FILTERS.map(([name, title]) => [name, title, [...new Set(ALL.map(get(name)))].sort(new Intl.Collator("en", { numeric: true }).compare)])
    .filter(([, , values]) => values.length > 1)
    .map(([name, title, values]) => ({ name, node: h("select", { id: `filter-${name}` }, h("option", { value: "" }, "all"), values.map((value) => h("option", { value }, value))), title }));
  const search = h("input", { type: "search", id: "filter-text", placeholder: "model, device, …", autocomplete: "off", spellcheck: "false" });
  const reset = h("button", { type: "button", class: "plain", id: "reset" }, "Show all");
  const apply = () => {
    const wanted = selects.filter(({ node }) => node.value).map(({ name, node }) => [get(name), node.value]);
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    state.rows = ALL.filter((row) => wanted.every(([of, value]) => of(row) === value) && words.every((word) => haystack(row).includes(word)));
    state.page = 0;
    changed();
  };
  const clear = () => { for (const { node } of selects) node.value = ""; search.value = ""; apply(); };
  selects.forEach(({ node }) => node.addEventListener("input", apply));
  search.addEventListener("input", apply);
  reset.addEventListener("click", clear);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.append(selects.map(({ node, title, name }) => h("label", { for: `filter-${name}` }, title, node)).reduce((all, one) => (all.append(one), all), document.createDocumentFragment()),
    h("label", { for: "filter-text" }, "Search", search), reset);
  return clear;
}

const haystack = (row) => ["model", "quantization", "device", "delegate_requested", "delegate_actual", "runtime", "status", "verdict"].map((name) => text(row, name)).join(" ").toLowerCase();

function drawSustained(section, host) {
  const rows = ALL.filter((row) => DATA.details[row] && DATA.details[row].sustained);
  section.hidden = rows.length === 0;
  host.replaceChildren(...rows.slice(0, 12).map((row) => {
    const more = DATA.details[row];
    const figure = traceChart(more.traces, more.sustained, `${text(row, "model")} on ${text(row, "delegate_requested")}, ${text(row, "device")}`);
    figure.append(h("p", { class: "small" }, statusWord(row), ` ${more.sustained.text}. `, h("a", { href: `#row-${row}` }, "Its row")));
    return figure;
  }));
}

function drawEnvironment(host) {
  const table = (name, head, rows) => h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": name },
    h("table", { class: "small plain-table" }, h("caption", {}, name), h("thead", {}, h("tr", {}, head.map((title) => h("th", { scope: "col" }, title)))), h("tbody", {}, rows)));
  const cells = (values) => h("tr", {}, values.map((value, index) => h(index ? "td" : "th", { scope: index ? null : "row" }, value)));
  const models = DATA.models.map((model) => cells([model.name, model.quantization, model.size, h("code", { class: "hash" }, model.sha256), model.evidence.join("; ") || DATA.missing]));
  host.append(...[
    table("Devices", ["Name", "Reached by", "Model", "SoC", "System", "ABI", "Facts"], DATA.devices.map(cells)),
    table("Models", ["Name", "Quantization", "Size", "SHA-256", "How that is known"], models),
    h("h3", {}, "Runs"),
    ...DATA.runs.map((run) => h("details", { open: DATA.runs.length === 1 }, h("summary", {}, run.id, h("span", { class: "quiet" }, `, begun ${run.started}`)), facts(run.facts))),
    DATA.warnings.length > 0 && h("section", { class: "note" }, h("h3", {}, "Records that were passed over"), h("ul", {}, DATA.warnings.map((line) => h("li", {}, line)))),
  ].filter(Boolean));
}

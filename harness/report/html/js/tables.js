// Tables that were asked for: pivots, and figures that others published. They are shown whole and never ranked here.

const plainTable = (caption, columns, rows, isNumber) => h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
  h("table", { class: "small plain-table" }, h("caption", {}, caption),
    h("thead", {}, h("tr", {}, columns.map((name, index) => h("th", { scope: "col", class: isNumber(index) ? "n" : null }, name)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((value, index) => h(index ? "td" : "th", { scope: index ? null : "row", class: isNumber(index) ? "n" : null }, index || typeof value !== "string" ? value : soft(value))))))));

function drawPivots(section, host) {
  section.hidden = !DATA.pivots;
  if (!DATA.pivots) return;
  const { title, legend, star, tables } = DATA.pivots;
  byId("pivots-title").textContent = title;
  const marked = (value) => (value.startsWith(star) ? h("strong", {}, value) : value);
  host.append(...tables.map((table) => plainTable(table.title, table.columns, table.rows.map((row) => row.map(marked)), (index) => index > 0)),
    h("p", { class: "small quiet" }, legend));
}

const PUBLISHED_NUMBERS = [4, 5, 6, 7, 8, 9, 10, 11, 12];
function drawPublished(section, host) {
  section.hidden = !DATA.published;
  if (!DATA.published) return;
  host.append(h("p", { class: "small quiet" }, "Figures of others, with other runtimes and images: not part of any chart or ranking on this page. Beside them stands what was measured here; a ratio is measured divided by published."),
    plainTable("Published figures", DATA.published.columns, DATA.published.rows, (index) => PUBLISHED_NUMBERS.includes(index)));
}

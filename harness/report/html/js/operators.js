// Where the time goes inside the graph: kinds of operators as bars, then every operator in the order it ran.

const MOST_KINDS = 10;

function detailOperators(found, row) {
  if (found.missing) return h("section", {}, h("h3", {}, "Time by operator"), h("p", { class: "quiet" }, `Not recorded: ${found.missing.join("; ") || "no reason was given"}`));
  const where = (delegated) => (delegated ? delegateName(row) : "builtin kernel");
  return h("section", { class: "operators" }, h("h3", {}, "Time by operator ", statusWord(row)),
    h("p", { class: "small quiet" }, `Mean of ${found.n} inferences with ${found.runtime}, in a process of its own: a profiler slows down what it watches. All operators together: ${found.sum} ms.`),
    operatorTable("Kinds of operators", ["operator", "ran in", "count", "ms", "share", ""], found.kinds.slice(0, MOST_KINDS).map((kind) => kindRow(kind, where))),
    found.kinds.length > MOST_KINDS && h("p", { class: "small quiet" }, `and ${found.kinds.length - MOST_KINDS} more kinds below`),
    h("details", {}, h("summary", {}, `All ${found.each.length} operators in the order they ran`),
      operatorTable("Operators", ["operator", "name", "ran in", "ms", "share"], found.each.map((one) => oneRow(one, where)))));
}

// XNNPACK executes what another delegate leaves, so the delegate's own name is given only where it is the cell's.
const delegateName = (row) => (text(row, "delegate_actual") === "xnnpack" ? "xnnpack" : "delegate");

const kindRow = ([name, delegated, share, count, time, shown], where) =>
  [h("th", { scope: "row" }, name), h("td", {}, where(delegated)), ...[count, time, shown].map((value) => h("td", { class: "n" }, value)), h("td", { class: "share" }, meter(share))];

const oneRow = ([kind, name, delegated, time, share], where) =>
  [h("th", { scope: "row" }, kind), h("td", {}, name), h("td", {}, where(delegated)), h("td", { class: "n" }, time), h("td", { class: "n" }, share)];

function operatorTable(title, head, rows) {
  const cells = head.map((name) => (name ? h("th", { scope: "col", class: ["count", "ms", "share"].includes(name) ? "n" : null }, name) : h("td", {})));
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": title },
    h("table", { class: "small" }, h("thead", {}, h("tr", {}, cells)), h("tbody", {}, rows.map((row) => h("tr", {}, row)))));
}

// The data of the page: columns by name, and a row's text and number in each.

const DATA = JSON.parse(byId("data").textContent);
const COLUMN = Object.fromEntries(DATA.columns.map((column) => [column.name, column]));
const ALL = Array.from({ length: DATA.n }, (_, row) => row);
const RANKED = new Set(DATA.ranked);

const pick = (coded, row) => coded.values[coded.at === 0 ? 0 : coded.at[row]];
const text = (row, name) => pick(COLUMN[name].text, row);
const number = (row, name) => (COLUMN[name].raw ? COLUMN[name].raw[row] : null);
const known = (row, name) => number(row, name) !== null;
const different = (name, rows = ALL) => [...new Set(rows.map((row) => text(row, name)))];

// "edgetpu:usb:0" and "edgetpu" are the same kind of accelerator.
const delegateKind = (row) => text(row, "delegate_requested").split(":")[0];

// Status where it is not ok, else the verdict: the word that says how far to trust a row.
function label(row) {
  const status = text(row, "status");
  const verdict = text(row, "verdict");
  if (verdict === "emulated" && (status === "ok" || status.startsWith("partial"))) return verdict;
  return status !== "ok" ? status : verdict === DATA.missing ? "ok" : verdict;
}

const TONES = { trusted: "good", ok: "plain", noisy: "warn", throttled: "warn", unverified: "warn", emulated: "warn", "too-few-samples": "warn", partial: "warn" };
// What every figure of a row that is not ok stands under: no number of a delegate without the word for what became of it.
const statusWord = (row) => (text(row, "status") === "ok" ? null : h("span", { class: "small status-word" }, `${text(row, "status")}: ${text(row, "delegate_actual")} ran`));
const badge = (row) => h("span", { class: `badge ${TONES[label(row)] || "bad"}` }, label(row));

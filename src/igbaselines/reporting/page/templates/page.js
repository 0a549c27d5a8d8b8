"use strict";
// The page reads without this: it sorts and filters tables, copies them, and opens what a link leads into.
const number = (text) => (text.trim() === "" || isNaN(text) ? null : Number(text));
const cells = (row) => [...row.cells].map((cell) => cell.textContent.trim());

function sort(table, at, head) {
  const up = head.getAttribute("aria-sort") !== "ascending";
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const compare = (one, other) => {
    const [a, b] = [one, other].map((row) => row.cells[at].textContent);
    const [x, y] = [a, b].map(number);
    if (x !== null && y !== null) return x - y;
    return (x === null) - (y === null) || a.localeCompare(b);
  };
  const rows = [...table.tBodies[0].rows].sort((one, other) => (up ? 1 : -1) * compare(one, other));
  table.tBodies[0].append(...rows);
}

const shown = (table) => [table.tHead.rows[0], ...table.tBodies[0].rows].filter((row) => !row.hidden).map(cells);
const quoted = (cell) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
const csv = (table) => shown(table).map((row) => row.map(quoted).join(",")).join("\n") + "\n";
const special = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "\\textless{}", ">": "\\textgreater{}" };
const escaped = (cell) => cell.replace(/[\\~^<>&%$#_{}]/g, (one) => special[one] ?? "\\" + one);
function latex(table) {
  const [head, ...rows] = shown(table).map((row) => row.map(escaped).join(" & ") + " \\\\");
  const columns = "l".repeat(table.tHead.rows[0].cells.length);
  return ["\\begin{tabular}{" + columns + "}", "\\hline", head, "\\hline", ...rows, "\\hline", "\\end{tabular}", ""].join("\n");
}

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("not allowed");
}

function button(words, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = words;
  made.addEventListener("click", act);
  return made;
}

function equip(table) {
  [...table.tHead.rows[0].cells].forEach((head, at) => {
    head.replaceChildren(button(head.textContent, () => sort(table, at, head)));
  });
  const tools = document.createElement("div");
  tools.className = "tools";
  const said = document.createElement("span");
  said.setAttribute("role", "status");
  const copies = (name, text) =>
    button(`Copy as ${name}`, () => copy(text(table)).then(() => (said.textContent = `${name} copied`), () => (said.textContent = "the browser does not allow it")));
  const filter = document.createElement("input");
  filter.type = "search";
  filter.placeholder = "filter rows";
  filter.setAttribute("aria-label", `Filter rows of ${table.dataset.name}`);
  filter.addEventListener("input", () => {
    for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(filter.value.toLowerCase());
  });
  tools.append(filter, copies("CSV", csv), copies("LaTeX", latex), said);
  table.parentNode.before(tools);
}

function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let one = target; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
  if (target) target.scrollIntoView();
}

document.querySelectorAll("table.data").forEach(equip);
addEventListener("hashchange", reveal);
if (location.hash) reveal();

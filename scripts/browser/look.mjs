// Look at pages in headless Chromium as readers do: node look.mjs PAGE.html... [--pictures FOLDER] > what.json
// Of each page, at two widths, light and dark, with everything unfolded: axe's findings, what is off screen, what the
// content security policy refused, and whether tables sort and copy.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const axe = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const given = process.argv.slice(2);
const at = given.indexOf("--pictures");
const pictures = at >= 0 ? given.splice(at, 2)[1] : null;

const offScreen = () => {
  const inside = (one) => one.closest(".scroll, pre, .skip, svg");
  return [...document.body.querySelectorAll("*")]
    .filter((one) => !inside(one) && one.checkVisibility() && one.getBoundingClientRect().width > 0)
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 || one.getBoundingClientRect().left < -1)
    .map((one) => `${one.tagName.toLowerCase()}.${one.className}: ${one.textContent.trim().slice(0, 60)}`)
    .slice(0, 10);
};

const tables = async () => {
  const table = document.querySelector("table.data");
  if (!table) return null;
  table.closest("details").open = true;
  const column = () => [...table.tBodies[0].rows].map((row) => row.cells[0].textContent);
  const before = column();
  const head = table.tHead.rows[0].cells[0].querySelector("button");
  head.click();
  const up = column();
  head.click();
  const down = column();
  let copied = "";
  document.execCommand = () => ((copied = document.querySelector("body > textarea").value), true);
  Object.defineProperty(navigator, "clipboard", { value: undefined });
  const [csv, latex] = table.closest("details").querySelectorAll(".tools button");
  csv.click();
  await new Promise((done) => setTimeout(done, 50));
  const asCsv = copied;
  latex.click();
  await new Promise((done) => setTimeout(done, 50));
  return { before, up, down, csv: asCsv, latex: copied };
};

const name = (file) => path.basename(path.dirname(file));

async function look(browser, file, width, scheme) {
  const page = await browser.newPage();
  const refused = [];
  page.on("console", (said) => said.type() === "error" && refused.push(said.text()));
  page.on("pageerror", (error) => refused.push(String(error)));
  await page.setViewport({ width, height: width > 500 ? 900 : 800 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.goto(pathToFileURL(file), { waitUntil: "load" });
  const found = { file, width, scheme, violations: [], offScreen: [], refused };
  if (pictures) await page.screenshot({ path: path.join(pictures, `${name(file)}-${width}-${scheme}.png`) });
  await page.evaluate(() => document.querySelectorAll("details").forEach((one) => (one.open = true)));
  await page.evaluate(axe);
  const rules = scheme === "dark" ? { runOnly: ["color-contrast"] } : {}; // all that a scheme changes
  const { violations } = await page.evaluate((rules) => axe.run(document, { resultTypes: ["violations"], ...rules }), rules);
  for (const { id, impact, nodes } of violations) {
    const where = nodes.slice(0, 3).map((node) => `${node.target.join(" ")} ${node.failureSummary.split("\n")[1]?.trim() ?? ""}`);
    found.violations.push({ id, impact, count: nodes.length, where });
  }
  found.offScreen.push(...(await page.evaluate(offScreen)));
  found.tables = await page.evaluate(tables);
  if (pictures && scheme === "light") {
    await page.goto(pathToFileURL(file), { waitUntil: "load" });
    await page.pdf({ path: path.join(pictures, `${name(file)}-${width}.pdf`), format: "A4" });
  }
  await page.close();
  return found;
}

const chromium = execFileSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" }).trim();
const browser = await puppeteer.launch({ executablePath: chromium, args: ["--no-sandbox"] });
const seen = [];
for (const file of given)
  for (const width of [1200, 390]) for (const scheme of ["light", "dark"]) seen.push(await look(browser, path.resolve(file), width, scheme));
await browser.close();
console.log(JSON.stringify(seen, null, 1));

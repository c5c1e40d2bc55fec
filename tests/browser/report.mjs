// report.mjs TEST PAGE SHOTS - opens a status page in Chromium and uses it, as the test of that name says. Screenshots go
// to the directory SHOTS. Whatever the test: no request leaves the page, and nothing is complained of on the console.
// Exits 1 at the first thing that is not as it should be.
//
// The modules are in build/browser, where report_browser.bats puts them; Chromium is the system's.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

const require = createRequire(fileURLToPath(new URL("../../build/browser/", import.meta.url)));
const { chromium } = require("playwright-core");
const [name, file, shots] = process.argv.slice(2);
const url = pathToFileURL(file).href;
const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
const DESKTOP = { width: 1280, height: 900 }, PHONE = { width: 390, height: 844 };

// playwright starts each browser with a profile directory of its own.
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", headless: true, args: ARGS });
const complaints = [];

const open = async (options = {}) => {
  const context = await browser.newContext({ viewport: DESKTOP, colorScheme: "light", ...options });
  const page = await context.newPage();
  page.on("console", (message) => complaints.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("request", (request) => {
    if (!request.url().startsWith("data:") && request.url().split("#")[0] !== url) complaints.push(`request: ${request.url()}`);
  });
  page.on("dialog", (dialog) => { complaints.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  await page.goto(url);
  return page;
};

const shoot = (page, what) => page.screenshot({ path: `${shots}/${what}.png` });
const names = (page) => page.locator(".job:visible h3").allInnerTexts();
const line = (page, job) => page.locator(".job", { has: page.getByRole("heading", { name: job, exact: true }) });
const width = (page) => page.evaluate(() => document.documentElement.scrollWidth);
const background = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

const tests = {
  async use() {
    const page = await open();
    assert.equal(await page.locator("h1").innerText(), "1 of 4 jobs failing");
    assert.deepEqual(await names(page), ["Broken", "Flaky", "Steady", "idle"]);
    await shoot(page, "desktop-light");

    // Filter, search, sort; and the address holds the view.
    await page.getByRole("button", { name: /^Healthy/ }).click();
    assert.deepEqual(await names(page), ["Flaky", "Steady"]);
    assert.equal(await page.getByRole("button", { name: /^Healthy/ }).getAttribute("aria-pressed"), "true");
    await page.getByRole("searchbox").fill("STEA");
    assert.deepEqual(await names(page), ["Steady"]);
    assert.equal(await page.getByRole("status").innerText(), "1 of 4 jobs");
    assert.equal(new URL(page.url()).hash, "#state=healthy&search=STEA");
    await page.reload();
    assert.deepEqual(await names(page), ["Steady"]);
    await page.getByRole("searchbox").fill("nothing like it");
    assert.deepEqual(await names(page), []);
    assert.ok(await page.getByText("No job is like this").isVisible());
    await page.getByRole("searchbox").fill("");
    await page.getByRole("button", { name: /^All/ }).click();
    for (const [order, expected] of [["name", ["Broken", "Flaky", "idle", "Steady"]], ["runs", ["Steady", "Flaky", "Broken", "idle"]],
      ["rate", ["Broken", "Flaky", "Steady", "idle"]], ["problems", ["Broken", "Flaky", "Steady", "idle"]]]) {
      await page.getByLabel("Sort by").selectOption(order);
      assert.deepEqual(await names(page), expected, order);
    }

    // A line says what there is to say; unfolded, the rest.
    const broken = line(page, "Broken");
    assert.match(await broken.innerText(), /Failing\s+2 failures in a row/);
    assert.match(await broken.innerText(), /0\.0 %/);
    assert.match(await broken.locator(".strip").getAttribute("aria-label"), /^90 days: failures on \d/);
    await broken.locator(".ago").hover();
    await broken.getByRole("button").click();
    const panel = page.getByRole("group", { name: "Broken: details" });
    for (const text of ["The last 2 runs", "Error of the last run", "exit status 7", "exit status <n>", "never"]) {
      assert.ok((await panel.innerText()).includes(text), text);
    }
    await shoot(page, "desktop-unfolded");
    await broken.getByRole("button").click();
    assert.ok(await panel.isHidden());
    await broken.locator(".line").click({ position: { x: 8, y: 8 } }); // the whole line unfolds
    assert.ok(await panel.isVisible());
    const idle = line(page, "idle");
    await idle.getByRole("button").click();
    assert.match(await idle.innerText(), /No runs/);
    assert.match(await idle.innerText(), /has not run yet/);

    // What happened on a day.
    const strip = await line(page, "Steady").locator(".strip").boundingBox();
    await page.mouse.move(strip.x + strip.width - 1, strip.y + 5);
    assert.match(await page.locator("#tip").innerText(), /\w+, \w+ \d+, \d{4}\n\d+ runs?, none failed/);
    await page.keyboard.press("Escape");
    assert.ok(await page.locator("#tip").isHidden());
  },

  async keyboard() {
    const page = await open({ reducedMotion: "reduce" });
    const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim());
    const order = [];
    for (let i = 0; i < 9; i++) {
      await page.keyboard.press("Tab");
      order.push(await focused());
      const ring = await page.evaluate(() => [document.activeElement, null].map((node) => node &&
        [getComputedStyle(node).outlineStyle, getComputedStyle(node, "::after").outlineStyle]).flat());
      assert.ok(ring.includes("solid"), `no ring around ${order.at(-1)}`);
    }
    assert.deepEqual(order, ["Skip to the jobs", "theme", "search", "sort", "All 4", "Failing 1", "Healthy 2", "No runs 1", "Broken"]);
    await page.keyboard.press("Enter");
    assert.equal(await page.locator(":focus").getAttribute("aria-expanded"), "true");
    await page.keyboard.press("Tab"); // into what it unfolded
    assert.equal(await page.locator(":focus").getAttribute("aria-label"), "Error of the last run");
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Space");
    assert.equal(await page.locator(":focus").getAttribute("aria-expanded"), "false");
    await page.keyboard.press("Tab");
    assert.equal(await focused(), "Flaky");
    assert.equal(await page.locator(".more").first().evaluate((node) => getComputedStyle(node).transitionProperty), "none");
  },

  async themes() {
    let page = await open();
    const light = await background(page);
    const theme = page.getByRole("button", { name: /^Theme/ });
    await theme.click();
    assert.equal(await theme.innerText(), "Theme: dark");
    const dark = await background(page);
    assert.notEqual(dark, light);
    await shoot(page, "desktop-dark");
    await page.reload();
    assert.equal(await background(page), dark); // it is remembered
    await theme.click();
    await theme.click();
    assert.equal(await theme.innerText(), "Theme: system");
    assert.equal(await background(page), light);
    page = await open({ colorScheme: "dark" });
    assert.equal(await background(page), dark);
  },

  async phone() {
    for (const colorScheme of ["light", "dark"]) {
      const page = await open({ viewport: PHONE, colorScheme, hasTouch: true, isMobile: true });
      assert.equal(await width(page), PHONE.width);
      await shoot(page, `phone-${colorScheme}`);
      for (const button of await page.locator(".open").all()) await button.click();
      assert.equal(await width(page), PHONE.width, "unfolded");
      const outside = await page.evaluate(() => [...document.querySelectorAll("main :not(.hide), header *, footer *")]
        .filter((node) => node.getBoundingClientRect().right > innerWidth
          || (getComputedStyle(node).display === "block" && node.scrollWidth > node.clientWidth + 1))
        .map((node) => node.outerHTML.slice(0, 80)));
      assert.deepEqual(outside, [], "cut off");
      await line(page, "Broken").scrollIntoViewIfNeeded();
      await shoot(page, `phone-${colorScheme}-unfolded`);
    }
  },

  // axe needs to be let in past the page's policy.
  async accessible() {
    for (const [colorScheme, viewport] of [["light", DESKTOP], ["dark", DESKTOP], ["light", PHONE]]) {
      const page = await open({ colorScheme, viewport, bypassCSP: true });
      for (const button of await page.locator(".open").all()) await button.click();
      await page.addScriptTag({ path: require.resolve("axe-core/axe.min.js") });
      const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
      assert.deepEqual(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 120)).join(" | ")}`), []);
      for (const role of ["banner", "main", "contentinfo"]) assert.equal(await page.getByRole(role).count(), 1, role);
    }
  },

  async hostile() {
    const page = await open();
    const job = line(page, "<script>alert(1)<");
    await job.getByRole("button").click();
    assert.match(await job.locator("pre").first().innerText(), /^<\/script><script>alert\(2\)<\/script><img src=x onerror=alert\(3\)>/);
    for (const button of await page.locator(".open").all()) await button.click();
    assert.equal(await page.locator("#app script, #app img, footer script").count(), 0);
    assert.equal(await width(page), DESKTOP.width);
    assert.equal(await page.title(), "</title><script>alert(4)</script>: All jobs healthy");
    await page.setViewportSize(PHONE);
    assert.equal(await width(page), PHONE.width);
  },

  // 2,000 jobs: the processor time of the page's own thread, since the machine may be busy.
  async large() {
    const page = await open();
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable", { timeDomain: "threadTicks" });
    const seconds = async () => (await session.send("Performance.getMetrics")).metrics.find((m) => m.name === "TaskDuration").value;
    const costs = async (what, budget, action) => {
      const before = await seconds();
      await action();
      const cost = (await seconds()) - before;
      console.log(`# ${what}: ${cost.toFixed(3)} s`);
      assert.ok(cost < budget, `${what} took ${cost} s`);
    };
    const found = [...Array(2000).keys()].filter((number) => String(number).includes("77")).length;
    // By id: playwright's own look for a label or a text would cost the page more than what is measured.
    const search = async (text, count) => {
      await page.locator("#search").fill(text);
      assert.equal(await page.locator("#count").innerText(), count);
    };
    await costs("opening", 1, async () => { await page.reload(); await page.locator(".job .strip").first().waitFor(); });
    await costs("searching", 0.5, () => search("job 77", `${found} of 2,000 jobs`));
    await costs("showing all again", 0.5, () => search("", "2,000 jobs"));
    await costs("sorting", 0.5, async () => {
      await page.locator("#sort").selectOption("name");
      assert.equal(await page.locator(".job h3").first().innerText(), "Job 0");
    });
    assert.ok(await page.locator(".job .rates").count() < 200); // lines are made as they come near
    await page.getByRole("searchbox").fill("job 1999");
    await page.locator(".job:visible .strip").waitFor();
    await shoot(page, "large");
  },

  async plain() {
    const page = await open({ javaScriptEnabled: false });
    assert.ok(await page.getByRole("table").isVisible());
    assert.deepEqual(await page.getByRole("rowheader").allInnerTexts(), ["broken", "flaky", "steady", "idle"]);
    assert.ok(await page.locator("#app").isHidden());
    await shoot(page, "no-script");
  },

  async empty() {
    const page = await open();
    assert.equal(await page.locator("h1").innerText(), "No jobs yet");
    assert.ok(await page.locator("#app").isHidden());
    await shoot(page, "empty");
  },

  // A page that nobody makes anew says so.
  async stale() {
    const page = await open();
    assert.match(await page.getByRole("alert").innerText(), /^This page was made \d+ days ago\./);
  },
};

try {
  await tests[name]();
  assert.deepEqual(complaints, []);
} catch (error) {
  console.log(error.message, complaints.join("\n"));
  process.exitCode = 1;
} finally {
  await browser.close();
}

// report.mjs TEST PAGE SHOTS - opens a status page in Chromium and uses it, as the test of that name says. Screenshots go
// to the directory SHOTS. Whatever the test: no request leaves the page, and nothing is complained of on the console.
// Exits 1 at the first thing that is not as it should be.
//
// report.mjs serve - starts Chromium, and prints where it can be reached, until it is ended. REPORT_BROWSER is that place:
// the tests use that browser, each with a profile of its own, or start one.
//
// The modules are in build/browser, where report_browser.bats puts them; Chromium is the system's.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

const require = createRequire(fileURLToPath(new URL("../../build/browser/", import.meta.url)));
const { chromium } = require("playwright-core");
const [name, file, shots] = process.argv.slice(2);
const url = file && pathToFileURL(file).href;
const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
const DESKTOP = { width: 1280, height: 900 }, PHONE = { width: 390, height: 844 };

// playwright starts each browser with a profile directory of its own.
const settings = { executablePath: process.env.CHROMIUM || "/usr/bin/chromium", headless: true, args: ARGS };
if (name === "serve") {
  console.log((await chromium.launchServer(settings)).wsEndpoint());
  await new Promise(() => {});
}
const place = process.env.REPORT_BROWSER;
const browser = await (place ? chromium.connect(place) : chromium.launch(settings));
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
// The text as it is in the document: what is laid out later, as it comes near, has no inner text yet.
const names = (page) => page.locator(".job:visible h3").allTextContents();
const line = (page, job) => page.locator(".job", { has: page.getByRole("heading", { name: job, exact: true }) });
const width = (page) => page.evaluate(() => document.documentElement.scrollWidth);
const background = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

// What is wider than where it stands, or outside the window.
const cutOff = (page) => page.evaluate(() => [...document.querySelectorAll("main :not(.hide), header *, footer *")]
  .filter((node) => node.getClientRects().length && (node.getBoundingClientRect().right > innerWidth + 0.5
    || (getComputedStyle(node).display.match(/block|grid|flex/) && node.scrollWidth > node.clientWidth + 1)))
  .map((node) => node.outerHTML.slice(0, 120)));

// axe needs to be let in past the page's policy.
const violations = async (page, but = []) => {
  await page.addScriptTag({ path: require.resolve("axe-core/axe.min.js") });
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return found.violations.filter((v) => !but.includes(v.id)).map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 120)).join(" | ")}`);
};

const tests = {
  async use() {
    const page = await open();
    assert.equal(await page.locator("h1").innerText(), "1 of 5 jobs failing");
    assert.deepEqual(await names(page), ["Broken", "Flaky", "Stale", "Steady", "idle"]);
    await shoot(page, "desktop-light");

    // Filter, search, sort; and the address holds the view.
    await page.getByRole("button", { name: /^OK/ }).click();
    assert.deepEqual(await names(page), ["Stale", "Steady"]);
    assert.equal(await page.getByRole("button", { name: /^OK/ }).getAttribute("aria-pressed"), "true");
    await page.getByRole("searchbox").fill("STEA");
    assert.deepEqual(await names(page), ["Steady"]);
    assert.equal(await page.getByRole("status").innerText(), "1 of 5 jobs");
    assert.equal(new URL(page.url()).hash, "#state=ok&search=STEA");
    await page.reload();
    assert.deepEqual(await names(page), ["Steady"]);
    await page.getByRole("searchbox").fill("nothing like it");
    assert.deepEqual(await names(page), []);
    assert.ok(await page.getByText("No job is like this").isVisible());
    await page.getByRole("searchbox").fill("");
    await page.getByRole("button", { name: /^All/ }).click();
    for (const [order, expected] of [["name", ["Broken", "Flaky", "idle", "Stale", "Steady"]],
      ["runs", ["Steady", "Flaky", "Stale", "Broken", "idle"]], ["rate", ["Broken", "Flaky", "Steady", "idle", "Stale"]],
      ["problems", ["Broken", "Flaky", "Stale", "Steady", "idle"]]]) {
      await page.getByLabel("Sort by").selectOption(order);
      assert.deepEqual(await names(page), expected, order);
    }

    // A line says what there is to say; unfolded, the rest.
    const broken = line(page, "Broken");
    assert.match(await broken.innerText(), /Failing\s+last 2 runs failed/);
    assert.match(await broken.innerText(), /0\.0 %/);
    assert.match(await broken.locator(".strip").getAttribute("aria-label"), /^90 days: failures on \d/);
    await broken.locator(".ago").hover();
    await broken.getByRole("button").click();
    const panel = page.getByRole("group", { name: "Broken: details" });
    for (const text of ["The last 2 runs: 0 succeeded, 2 failed", "Error of the last run", "exit status 7", "exit status <n>", "never"]) {
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

  async true() {
    const page = await open();
    // Where a path's shapes begin and end from top to bottom, the leftmost first.
    const shapes = (job, name) => line(page, job).locator(`.line .strip .${name}`).evaluateAll((paths) =>
      paths.flatMap((path) => [...path.getAttribute("d").matchAll(/M(\S+) (\S+)h3V([^h]+)h/g)].map(([, x, top, bottom]) =>
        ({ x: Number(x), top: Number(top), bottom: Number(bottom) }))));
    const share = (shape) => (shape.bottom - shape.top) / 26;
    for (const [job, expected] of [["tenth", 0.1], ["rare", 0.001], ["all", 1]]) {
      const [bar, mark, ...rest] = await shapes(job, "failed");
      assert.ok(Math.abs(share(bar) - expected) < 0.001, `${job}: ${share(bar)} of the bar is red`);
      assert.equal(bar.bottom, 26);
      assert.ok(mark.top > 26 && mark.bottom - mark.top >= 2 && mark.x === bar.x && !rest.length, "a mark below the bar");
      const good = await shapes(job, "ok");
      assert.ok(expected === 1 ? !good.length : Math.abs(share(good[0]) - (1 - expected)) < 0.001 && good.length === 1, job);
    }
    // And it is drawn as high as it says: 1 is a pixel.
    const strip = line(page, "tenth").locator(".line .strip");
    assert.equal((await strip.boundingBox()).height, 31);
    // Any day: what failed, what was missed and what succeeded fill the bar.
    const wrong = await page.evaluate(() => {
      for (let i = 0; i < 500; i++) {
        const runs = Math.floor(Math.random() * 9), failures = Math.floor(Math.random() * (runs + 1));
        const missed = Math.floor(Math.random() * 5), paths = dayBars([[runs, failures, missed]], true);
        const height = (name) => [...paths[name].matchAll(/M0 (\S+)h3V([^h]+)h/g)]
          .reduce((sum, [, top, bottom]) => sum + (bottom <= 26 ? bottom - top : 0), 0);
        for (const [name, n] of [["failed", failures], ["missed", missed], ["ok", runs - failures]]) {
          if (Math.abs(height(name) - (26 * n) / (runs + missed || 1)) > 0.02) return [runs, failures, missed, paths];
        }
      }
      return null;
    });
    assert.equal(wrong, null);
    // Half a year ago, half a day: twelve cells side by side, and not a blot.
    const cells = await line(page, "Stale").locator(".line .runs .ok").getAttribute("d");
    assert.deepEqual([...cells.matchAll(/M(\d+) /g)].map(([, x]) => Number(x)), [...Array(12).keys()].map((i) => 96 + 12 * i));
    assert.match(await line(page, "Stale").innerText(), /OK\s+last 12 runs ok/);
    // No figure says the same of many days.
    await line(page, "Broken").getByRole("button").click();
    assert.doesNotMatch(await page.locator(".panel").innerText(), /of 1 run/);
    // Success rates are called that, for eyes and for ears.
    assert.match(await page.locator("#head").innerText(), /Success rate/);
    assert.equal(await line(page, "Flaky").locator("dt").first().textContent(), "Success rate, 24 hours");
    assert.match(await line(page, "Flaky").innerText(), /Flaky\s+\d+ of \d+ failed in 30 d/);
  },

  async wall() {
    for (const colorScheme of ["light", "dark"]) {
      const page = await open({ viewport: { width: 1920, height: 1080 }, colorScheme, bypassCSP: true });
      assert.deepEqual(await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight,
        document.body.scrollHeight]), [1920, 1080, 1080]);
      assert.equal(await page.locator(".job:visible").count(), 15);
      const boxes = await page.locator(".job .line > *, .name *, header *, .foot *").evaluateAll((nodes) => nodes
        .filter((node) => node.getClientRects().length && !node.closest("symbol"))
        .filter((node) => node.getBoundingClientRect().bottom > innerHeight || node.getBoundingClientRect().right > innerWidth
          || (!(node instanceof SVGElement) && node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).display !== "inline"))
        .map((node) => node.outerHTML.slice(0, 120)));
      assert.deepEqual(boxes, []);
      for (const size of await page.locator(".name h3, .word, .ago, .rates dd:visible").evaluateAll((nodes) =>
        nodes.map((node) => parseFloat(getComputedStyle(node).fontSize)))) assert.ok(size >= 18, `text of ${size} px`);
      assert.ok((await page.locator("#updated").boundingBox()).y < 60);
      assert.match(await page.locator("#updated").innerText(), /^Updated /);
      assert.match(await page.locator("#updated").getAttribute("title"), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d CES?T$/);
      assert.equal(await page.locator("meta[http-equiv=refresh]").getAttribute("content"), "60");
      // To refresh itself is what a page on a wall is for: nobody reads it from top to bottom.
      assert.deepEqual(await violations(page, ["meta-refresh"]), []);
      await shoot(page, `wall-${colorScheme}`);
      // Where not all fit, the worst are shown, and the others counted.
      await page.setViewportSize({ width: 1280, height: 480 });
      const shown = await page.locator(".job:visible").count();
      assert.ok(shown < 15 && shown > 4);
      assert.equal((await names(page))[0], "Nightly backup");
      assert.match(await page.locator("#rest").innerText(), new RegExp(`^and ${15 - shown} more jobs: `));
    }
  },

  async widths() {
    for (const colorScheme of ["light", "dark"]) {
      const page = await open({ viewport: { width: 390, height: 844 }, colorScheme });
      const height = await page.evaluate(() => document.documentElement.scrollHeight);
      console.log(`# fifteen jobs on a phone: ${height} px`);
      assert.ok(height < 2900, `${height} px on a phone`);
      assert.match(await page.locator("#legend").innerText(), /succeeded[^]*failed[^]*missed/);
      await shoot(page, `fifteen-phone-${colorScheme}`);
      for (const size of colorScheme === "light" ? [320, 390, 600, 768, 820, 1000, 1100, 1920, 1280] : [1280]) {
        await page.setViewportSize({ width: size, height: 900 });
        await line(page, "Warehouse sync").scrollIntoViewIfNeeded();
        assert.equal(await width(page), size);
        assert.deepEqual(await cutOff(page), [], `cut off at ${size}`);
      }
      await shoot(page, `fifteen-${colorScheme}`);
      // What is drawn stands out from the card by 3:1 (WCAG 1.4.11).
      const contrasts = await page.evaluate(() => {
        const light = (colour) => colour.match(/[\d.]+/g).slice(0, 3).map((n) => n / 255)
          .map((n) => (n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4))
          .reduce((sum, n, i) => sum + n * [0.2126, 0.7152, 0.0722][i], 0);
        const card = light(getComputedStyle(document.querySelector(".list")).backgroundColor);
        return [...document.querySelectorAll(".line .strip path, .line .runs path")].map((path) => {
          const { fill, stroke } = getComputedStyle(path);
          const mark = light(fill === "none" ? stroke : fill);
          return [path.getAttribute("class"), (Math.max(mark, card) + 0.05) / (Math.min(mark, card) + 0.05)];
        }).filter(([name]) => name !== "cross");
      });
      assert.deepEqual([...new Set(contrasts.map(([name]) => name))].sort(),
        ["failed", "missed", "none", "ok", "running", "took"]);
      assert.deepEqual(contrasts.filter(([, contrast]) => contrast < 3), []);
    }
  },

  async keyboard() {
    const page = await open({ reducedMotion: "reduce" });
    const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim());
    const order = [];
    for (let i = 0; i < 10; i++) {
      await page.keyboard.press("Tab");
      order.push(await focused());
      const ring = await page.evaluate(() => [document.activeElement, null].map((node) => node &&
        [getComputedStyle(node).outlineStyle, getComputedStyle(node, "::after").outlineStyle]).flat());
      assert.ok(ring.includes("solid"), `no ring around ${order.at(-1)}`);
    }
    assert.deepEqual(order, ["Skip to the jobs", "theme", "search", "sort", "All 5", "Failing 1", "Flaky 1", "OK 2", "No runs yet 1", "Broken"]);
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
      assert.deepEqual(await cutOff(page), [], "cut off");
      await line(page, "Broken").scrollIntoViewIfNeeded();
      await shoot(page, `phone-${colorScheme}-unfolded`);
    }
  },

  async accessible() {
    for (const [colorScheme, viewport] of [["light", DESKTOP], ["dark", DESKTOP], ["light", PHONE]]) {
      const page = await open({ colorScheme, viewport, bypassCSP: true });
      for (const button of await page.locator(".open").all()) await button.click();
      assert.deepEqual(await violations(page), []);
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
    assert.equal(await page.title(), "</title><script>alert(4)</script>: All jobs OK");
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
    assert.deepEqual(await page.getByRole("rowheader").allInnerTexts(), ["broken", "flaky", "stale", "steady", "idle"]);
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

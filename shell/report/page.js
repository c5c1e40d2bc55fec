// page.js - the page as a whole: data shared by all jobs, the page's age, its theme; and the code that starts
// everything.

const showAll = () => {
  const windows = data.all.windows.length ? data.all.windows : NO_RUNS;
  const missed = data.all.missed || NONE_MISSED;
  WINDOW_NAMES.forEach((name, i) => byId("figures").append(el("div", null, el("dt", null, name),
    el("dd", { class: "rate" }, percent(windows[2 * i], windows[2 * i + 1])),
    el("dd", { class: "runs-told" }, counts(windows[2 * i], windows[2 * i + 1], missed[i])))));
  byId("fleet-strip").append(strip(data.all.days, false));
  byId("axis-from").textContent = dayName(0);
  byId("head-days").textContent = `${data.days} days`;
  byId("head-runs").textContent = "Last runs";
};

// The legend: what the marks mean.
const showLegend = () => {
  const key = (words, ...paths) => byId("legend").append(el("li", null,
    svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true", focusable: "false" },
      ...paths.map(([name, d]) => svg("path", { class: name, d }))), words));
  key("succeeded", ["ok", "M0 0h10v10h-10z"]);
  key("failed", ["failed", "M0 0h10v10h-10z"], ["cross", "M3 3l4 4m0-4l-4 4"]);
  key("missed", ["missed", "M1 1h8v8h-8z"]);
  key("running", ["running", "M1 1h8v8h-8z"], ["ok", "M3.5 3.5h3v3h-3z"]);
  key("how long it took", ["took", "M2 10V4h6v6z"]);
  key("a day, by the shares of its runs", ["day", "M2 0h6v7h-6z"], ["failed", "M2 7h6v3h-6z"]);
  key("failed or missed that day", ["failed", "M2 7h6v3h-6z"]);
};

const showCauses = () => {
  if (!data.common.length) return;
  byId("causes").hidden = false;
  byId("causes-about").textContent =
    `The commonest errors of ${count(data.days, "day")}, all jobs; numbers, times and identifiers count as equal.`;
  byId("causes-list").append(...data.common.map(([number, times, among, last]) => el("li", null,
    el("b", null, `${times.toLocaleString("en")} ×`), signature(number),
    el("span", null, `${count(among, "job")}, last `, time(last)))));
};

// Relative times are updated while the page is open, and an old page says that it is old.
const tick = () => {
  for (const node of document.querySelectorAll("time[data-ago]")) node.textContent = relative(Number(node.dataset.ago));
  const age = since(0);
  byId("updated").textContent = `Updated ${relative(0)}`;
  byId("updated").title = clock(0);
  byId("generated").textContent = `${clock(0)}, ${relative(0)}`;
  byId("stale").hidden = age < (data.refresh ? 3 * data.refresh : 86400);
  if (!byId("stale").hidden) {
    byId("stale").textContent = `This page was made ${relative(0)}. What it says may no longer be true.`;
  }
};

const THEMES = ["system", "dark", "light"];
const remembered = (value) => {
  try {
    if (value) localStorage.setItem("taskresults-theme", value);
    return localStorage.getItem("taskresults-theme");
  } catch { return null; }
};
const setTheme = (theme) => {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  byId("theme").textContent = `Theme: ${theme}`;
  byId("theme").dataset.theme = theme;
};
const nextTheme = () => {
  const theme = THEMES[(THEMES.indexOf(byId("theme").dataset.theme) + 1) % THEMES.length];
  setTheme(theme);
  remembered(theme);
};

// A line is completed when it comes near the window; lines visible at first are complete from the first frame on.
const showJobs = () => {
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      finishLine(jobs[Number(entry.target.dataset.number)]);
      near.unobserve(entry.target);
    }
  }, { rootMargin: "600px" });
  jobs.forEach((job, number) => near.observe(makeItem(job, number)));
  sortList();
  filterList();
  let first = 20;
  for (const item of byId("list").querySelectorAll(".job:not([hidden])")) {
    if (first-- === 0) break;
    finishLine(jobs[Number(item.dataset.number)]);
  }
};

const listen = () => {
  byId("theme").addEventListener("click", nextTheme);
  byId("list").addEventListener("click", (event) => {
    const button = event.target.closest(".open");
    const item = event.target.closest(".job");
    if (onWall || !item || (!button && !event.target.closest(".line"))) return;
    toggle(jobs[Number(item.dataset.number)]);
    writeView();
  });
  byId("search").addEventListener("input", (event) => {
    view.search = event.target.value;
    filterList();
    writeView();
  });
  byId("sort").addEventListener("change", (event) => {
    view.sort = event.target.value;
    sortList();
    writeView();
  });
  addEventListener("hashchange", () => { readView(); sortList(); filterList(); unfoldLinked(); });
};

const start = () => {
  setTheme(THEMES.includes(remembered()) ? remembered() : "system");
  byId("theme").hidden = false;
  byId("app").hidden = !jobs.length;
  showAll();
  showLegend();
  makeChips();
  readView();
  showJobs();
  showCauses();
  listen();
  if (onWall) hangOnWall();
  else unfoldLinked();
  tick();
  setInterval(tick, onWall ? 1000 : 30000);
};
start();

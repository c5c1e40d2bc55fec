
// The status page. The data is one JSON object in the page (shell/report/json.bash says how it is made); everything from
// it reaches the page as text, never as markup. A job is a line in the list at once, with its name; the rest of the line is
// made when it comes near the window, and what it unfolds to when it is unfolded, so that 2,000 jobs are there at once.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const jobs = data.jobs.map((row) => Object.fromEntries(data.columns.map((column, i) => [column, row[i]])));
  const WINDOWS = ["24 h", "7 d", "30 d", "90 d"];
  const NO_RUNS = [0, 0, 0, 0, 0, 0, 0, 0]; // and failures, in each window
  const WINDOW_NAMES = ["24 hours", "7 days", "30 days", "90 days"];
  const STATES = {
    died: "Died", failing: "Failing", unreadable: "Unreadable", overdue: "Overdue", running: "Running",
    healthy: "Healthy", new: "No runs", paused: "Paused", orphaned: "Orphaned",
  };
  const SEVERITY = Object.keys(STATES);

  // --- words ---------------------------------------------------------------------------------------------------------

  const count = (n, one, many) => `${n.toLocaleString("en")} ${n === 1 ? one : many || one + "s"}`;

  const duration = (seconds) => {
    const s = Math.max(0, Math.round(seconds));
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min`;
    if (s < 172800) return `${Math.floor(s / 3600)} h`;
    return `${Math.floor(s / 86400)} days`;
  };

  // How long ago, for the reader of now; the data counts back from when the page was made.
  const since = (ago) => Date.now() / 1000 - data.generated + ago;
  const relative = (ago) => {
    const s = since(ago);
    if (s < -30) return `in ${duration(-s)}`;
    return s < 30 ? "just now" : `${duration(s)} ago`;
  };

  const utc = (ago) => {
    const date = new Date((data.generated - ago) * 1000);
    return Number.isNaN(date.getTime()) ? "a time out of range" : `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  };

  const firstDay = Math.floor(data.generated / 86400) - data.days + 1;
  const dayName = (day) => new Date((firstDay + day) * 86400000)
    .toLocaleDateString("en", { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });

  // 99.97 % is not 100 %, and 0.03 % is not 0: cut, not rounded.
  const percent = (runs, failures) => {
    if (!runs) return "–";
    if (!failures) return "100 %";
    const tenths = Math.floor((1000 * (runs - failures)) / runs);
    return tenths === 0 && runs > failures ? "<0.1 %" : `${(tenths / 10).toFixed(1)} %`;
  };

  const runsAndFailures = (runs, failures) =>
    runs ? `${count(runs, "run")}, ${failures ? `${failures.toLocaleString("en")} failed` : "none failed"}` : "no runs";

  // --- building ------------------------------------------------------------------------------------------------------

  const SVG = "http://www.w3.org/2000/svg";

  const fill = (node, attributes, children) => {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value !== null && value !== undefined) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  };
  const el = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
  const svg = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

  const sign = (state) =>
    svg("svg", { class: `sign ${state}`, "aria-hidden": "true", focusable: "false" }, svg("use", { href: `#i-${state}` }));

  const time = (ago) =>
    ago === null ? "at an unreadable time" : el("time", { "data-ago": ago, title: utc(ago) }, relative(ago));

  // --- strips: a bar for each day ------------------------------------------------------------------------------------

  // Pairs of runs and failures. "~3 5  7-1": three days without runs, one of 5 runs, another such, one of 7 with 1 failure.
  const days = (text) => {
    const list = [];
    let same = [0, 0];
    for (const token of text ? text.split(" ") : []) {
      if (token.startsWith("~")) for (let i = Number(token.slice(1)); i > 0; i--) list.push([0, 0]);
      else list.push((same = token ? [...token.split("-").map(Number), 0].slice(0, 2) : same));
    }
    while (list.length < data.days) list.push([0, 0]);
    return list;
  };

  // Failures hang below the line that good days stand on, and a day without runs is a stub: colour is not the only sign.
  const STEP = 4, BAR = 3, BASE = 26, DEEP = 32;
  const box = (x, top, bottom) => `M${x} ${top}h${BAR}V${bottom}h-${BAR}z`;
  const dayBars = (list, least) => {
    const paths = { none: "", ok: "", some: "", many: "" };
    list.forEach(([runs, failures], i) => {
      const x = i * STEP;
      const share = runs ? failures / runs : 0;
      if (!runs) paths.none += box(x, BASE - 4, BASE);
      else if (!failures) paths.ok += box(x, 0, BASE);
      else {
        const top = share === 1 ? 0 : BASE - Math.max(least, Math.min(0.8, share)) * BASE;
        paths[share > 0.1 ? "many" : "some"] += box(x, top, DEEP);
        if (share < 1) paths.ok += box(x, 0, top - 2);
      }
    });
    return paths;
  };

  const summaryOf = (list) => {
    const bad = list.filter((day) => day[1]).length;
    const quiet = list.filter((day) => !day[0]).length;
    return `${count(data.days, "day")}: ${bad ? `failures on ${bad}` : "no failures"}` +
      `${quiet ? `, no runs on ${quiet}` : ""}`;
  };

  const strip = (text, least = 0.2) => {
    const list = days(text);
    const node = svg("svg", {
      class: "strip", role: "img", "aria-label": summaryOf(list),
      viewBox: `0 0 ${data.days * STEP - 1} ${DEEP}`, preserveAspectRatio: "none",
    });
    for (const [name, path] of Object.entries(dayBars(list, least))) {
      if (path) node.append(svg("path", { class: name, d: path }));
    }
    node.dataset.days = text || "";
    return node;
  };

  // One tip for all strips: which day the pointer is over, and what happened on it.
  const tip = byId("tip");
  const hideTip = () => { tip.hidden = true; };
  const showTip = (event) => {
    const target = event.target.closest && event.target.closest(".strip");
    if (!target) return hideTip();
    const at = target.getBoundingClientRect();
    const day = Math.min(data.days - 1, Math.max(0, Math.floor(((event.clientX - at.left) / at.width) * data.days)));
    const [runs, failures] = days(target.dataset.days)[day] || [0, 0];
    tip.replaceChildren(el("b", null, dayName(day)), runsAndFailures(runs, failures));
    tip.hidden = false;
    const left = event.clientX - tip.offsetWidth / 2;
    const most = document.documentElement.clientWidth - tip.offsetWidth - 8;
    tip.style.left = `${scrollX + Math.max(8, Math.min(left, most))}px`;
    tip.style.top = `${scrollY + at.top - tip.offsetHeight - 8}px`;
  };
  addEventListener("pointermove", showTip, { passive: true });
  addEventListener("pointerdown", showTip, { passive: true });
  addEventListener("scroll", hideTip, { passive: true });
  addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });
  document.documentElement.addEventListener("pointerleave", hideTip);

  // --- a job's line --------------------------------------------------------------------------------------------------

  const streak = (job) => {
    const n = Math.abs(job.streak);
    if (!n) return "";
    if (job.streak < 0) return n === 1 ? "last run failed" : `${n.toLocaleString("en")} failures in a row`;
    return n === 1 ? "last run succeeded" : `${n.toLocaleString("en")} in a row`;
  };

  const about = (job) => {
    if (job.state === "overdue") return `by ${duration(since(0) + job.overdue)}`;
    if (job.state === "orphaned") return "results, but no job";
    if (job.state === "unreadable") return "its file cannot be read";
    if (job.state === "died") return "while it was running";
    return [streak(job), job.state === "failing" && job.scheduler_state === "running" && "running now",
      job.scheduler_state === "unknown" && "next run at an unreadable time"].filter(Boolean).join(", ");
  };

  const rate = (job, i) => {
    const [runs, failures] = (job.windows || NO_RUNS).slice(2 * i, 2 * i + 2);
    const share = runs ? (runs - failures) / runs : 1;
    const kind = !runs ? "no" : share < 0.9 ? "worse" : share < 0.99 ? "low" : "";
    const title = `${WINDOW_NAMES[i]}: ${runsAndFailures(runs, failures)}`;
    return el("dd", { class: kind, "data-window": WINDOWS[i], title }, percent(runs, failures));
  };

  const finishLine = (job) => {
    if (job.finished) return;
    job.finished = true;
    const rates = el("dl", { class: "rates" });
    WINDOW_NAMES.forEach((name, i) => rates.append(el("dt", { class: "hide" }, `Success rate, ${name}`), rate(job, i)));
    job.line.querySelector(".name").append(el("p", { class: `meta ${job.state}` }, sign(job.state),
      el("span", { class: "word" }, STATES[job.state]), el("span", null, about(job))));
    job.line.append(strip(job.days), rates,
      el("p", { class: "ago" }, job.last !== null ? time(job.last)
        : job.runs ? "at an unreadable time" : job.state === "unreadable" ? "unknown" : "never"),
      svg("svg", { class: "more", viewBox: "0 0 18 18", "aria-hidden": "true", focusable: "false" },
        svg("path", { d: "M4.5 7l4.5 4.5L13.5 7" })));
  };

  const label = (job) => job.name || job.id || "(no name)";
  const sayTime = (ago) => (ago === null ? "at an unreadable time" : utc(ago));

  const makeItem = (job, number) => {
    job.button = el("button", { type: "button", class: "open", "aria-expanded": "false" }, el("bdi", null, label(job)));
    job.line = el("div", { class: "line" }, el("div", { class: "name" }, el("h3", null, job.button)));
    job.item = el("li", { class: "job" }, job.line);
    job.item.dataset.number = number;
    job.key = `${label(job)}\n${job.id}`.toLowerCase();
    return job.item;
  };

  // --- a job, unfolded -----------------------------------------------------------------------------------------------

  const part = (title, ...children) => el("section", null, el("h4", null, title), ...children);

  const parseRuns = (text) => (text || "").split(" ").filter(Boolean).map((token) => ({
    ago: token.startsWith("?") ? null : parseInt(token, 10), failed: token.endsWith("!"),
  }));

  // Where a run stands tells when it was; a failure is tall, and thick.
  const timelinePart = (runs) => {
    const timed = runs.filter((run) => run.ago !== null);
    if (!timed.length) return null;
    const oldest = Math.max(...timed.map((run) => run.ago));
    const newest = Math.min(0, ...timed.map((run) => run.ago));
    const x = (ago) => (((oldest - ago) / Math.max(1, oldest - newest)) * 1000).toFixed(1);
    const path = (failed, from, to) =>
      timed.filter((run) => run.failed === failed).map((run) => `M${x(run.ago)} ${from}V${to}`).join("");
    const told = runsAndFailures(runs.length, runs.filter((run) => run.failed).length);
    const section = part(runs.length === 1 ? "The last run" : `The last ${runs.length} runs`, svg("svg", {
      class: "timeline", viewBox: "0 0 1000 44", preserveAspectRatio: "none", role: "img",
      "aria-label": `${told}, from ${utc(oldest)} until now`,
    }, svg("path", { class: "rule", d: "M0 22H1000" }), svg("path", { class: "ok", d: path(false, 13, 31) }),
    svg("path", { class: "bad", d: path(true, 2, 42) })),
    el("p", { class: "axis" }, el("span", null, utc(oldest)), el("span", null, "now")));
    section.className = "wide";
    return section;
  };

  const runsPart = (runs) => {
    if (!runs.length) return null;
    const list = el("ol", { class: "runs-list" });
    for (const run of runs.slice(0, 5)) {
      list.append(el("li", null, sign(run.failed ? "failing" : "healthy"), run.failed ? "Failed" : "Succeeded",
        el("span", null, sayTime(run.ago))));
    }
    return part("Latest", list);
  };

  const daysPart = (job) => {
    const bad = days(job.days).map((day, i) => [i, ...day]).filter((day) => day[2]).reverse();
    if (!bad.length) return null;
    const list = el("ul", { class: "tally" });
    for (const [day, runs, failures] of bad.slice(0, 8)) {
      list.append(el("li", null, el("b", null, failures.toLocaleString("en")),
        el("span", null, `of ${count(runs, "run")} `, el("span", { class: "small" }, `on ${dayName(day)}`))));
    }
    return part(`Failures by day`, list,
      bad.length > 8 ? el("p", { class: "cut" }, `and on ${count(bad.length - 8, "day")} before`) : null);
  };

  const causesPart = (job) => {
    if (!job.causes || !job.causes.length) return null;
    const list = el("ul", { class: "tally" });
    for (const [number, times] of job.causes) {
      list.append(el("li", null, el("b", null, times.toLocaleString("en")), signature(number)));
    }
    const more = job.kinds - job.causes.length;
    return part(`Why it failed, ${data.days} days`, list,
      more > 0 ? el("p", { class: "cut" }, `and ${count(more, "cause")} that occurred less often`) : null);
  };

  const signature = (number) => el("code", null, data.signatures[number - 1] || "(no error text)");

  const textPart = (title, text, length) => {
    if (text === null || text === undefined) return null;
    if (!length) return part(title, el("p", { class: "cut" }, "Nothing was printed."));
    const shown = [...text].length;
    return part(title, el("pre", { tabindex: "0", role: "group", "aria-label": title }, text),
      length > shown ? el("p", { class: "cut" },
        `The first ${count(shown, "character")} of ${length.toLocaleString("en")}.`) : null);
  };

  const factsPart = (job) => {
    const list = el("dl", { class: "facts" });
    const fact = (name, ...values) => list.append(el("dt", null, name), el("dd", null, ...values));
    if (job.name) fact("Job id", el("bdi", null, job.id));
    if (job.schedule) fact("Schedule", job.schedule);
    if (job.next !== null && job.scheduler_state !== "paused") fact("Next run", time(job.next));
    if (job.scheduler_state && ![job.state, "idle"].includes(job.scheduler_state)) {
      fact("Now", STATES[job.scheduler_state] || job.scheduler_state);
    }
    fact("All runs kept", runsAndFailures(job.runs, job.failures));
    if (job.runs) {
      fact("Last success", job.failures === job.runs ? "never" : time(job.last_success));
    }
    for (const [reason, lines] of job.rejects || []) fact("No records", `${count(lines, "line")}: ${reason}`);
    return part("About", list);
  };

  const lastText = (job) =>
    textPart(job.streak < 0 ? "Error of the last run" : "Output of the last run", job.text, job.text_length);

  const otherText = (job) => {
    const title = job.streak < 0 ? "Output of the last success" : "Error of the last failure";
    return textPart(job.other_at === null ? title : `${title}, ${relative(job.other_at)}`, job.other, job.other_length);
  };

  const makePanel = (job) => {
    const runs = parseRuns(job.recent);
    const what = el("div", { class: "column" });
    const when = el("div", { class: "column" });
    const nothing = job.state === "unreadable"
      ? "The file of this job's results could not be read when the page was made."
      : "This job has not run yet, or none of its results were kept.";
    fill(what, null, job.runs ? [lastText(job), causesPart(job), otherText(job)]
      : [part("Results", el("p", { class: "cut" }, nothing))]);
    fill(when, null, [factsPart(job), runsPart(runs), daysPart(job)]);
    const panel = el("div", { class: "panel", role: "group", "aria-label": `${label(job)}: details` });
    panel.id = `panel-${job.item.dataset.number}`;
    return fill(panel, null, [timelinePart(runs), what, when]);
  };

  const toggle = (job) => {
    const open = job.button.getAttribute("aria-expanded") !== "true";
    job.button.setAttribute("aria-expanded", String(open));
    job.item.classList.toggle("unfolded", open);
    if (open && !job.panel) {
      job.panel = makePanel(job);
      job.button.setAttribute("aria-controls", job.panel.id);
      job.item.append(job.panel);
    }
    if (job.panel) job.panel.hidden = !open;
  };

  // --- finding: what is shown, and in which order --------------------------------------------------------------------

  const view = { state: "", search: "", sort: "problems" };

  // The view is in the address, so that it can be linked to and outlives a reload.
  const readView = () => {
    const given = new URLSearchParams(location.hash.slice(1));
    view.state = given.get("state") in STATES ? given.get("state") : "";
    view.search = given.get("search") || "";
    view.sort = given.get("sort") in ORDERS ? given.get("sort") : "problems";
    byId("search").value = view.search;
    byId("sort").value = view.sort;
  };
  const writeView = () => {
    const hash = new URLSearchParams();
    if (view.state) hash.set("state", view.state);
    if (view.search) hash.set("search", view.search);
    if (view.sort !== "problems") hash.set("sort", view.sort);
    const text = hash.toString();
    try {
      history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
    } catch { /* a file in a frame */ }
  };

  const byName = (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
  const rate30 = (job) => (job.windows && job.windows[4] ? 1 - job.windows[5] / job.windows[4] : 2);
  const ORDERS = {
    problems: (a, b) => SEVERITY.indexOf(a.state) - SEVERITY.indexOf(b.state) || byName(a, b),
    name: byName,
    last: (a, b) => (a.last === null) - (b.last === null) || a.last - b.last || byName(a, b),
    rate: (a, b) => rate30(a) - rate30(b) || byName(a, b),
    streak: (a, b) => Math.abs(b.streak) - Math.abs(a.streak) || byName(a, b),
    runs: (a, b) => b.runs - a.runs || byName(a, b),
  };

  const sortList = () => byId("list").append(...[...jobs].sort(ORDERS[view.sort]).map((job) => job.item));

  const filterList = () => {
    const words = view.search.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const job of jobs) {
      const fits = (!view.state || job.state === view.state) && words.every((word) => job.key.includes(word));
      if (job.item.hidden === fits) job.item.hidden = !fits;
      shown += fits;
    }
    const all = count(jobs.length, "job");
    byId("count").textContent = shown === jobs.length ? all : `${shown.toLocaleString("en")} of ${all}`;
    byId("list").hidden = byId("head").hidden = !shown;
    byId("nothing").hidden = shown > 0;
    byId("nothing").textContent = "No job is like this. Clear the search, or choose All.";
    for (const chip of byId("chips").children) chip.setAttribute("aria-pressed", String(chip.dataset.state === view.state));
  };

  const makeChips = () => {
    const chip = (state, name, n) => {
      const button = el("button", { type: "button", class: "chip", "aria-pressed": "false" },
        state ? sign(state) : null, name, " ", el("b", null, n.toLocaleString("en")));
      button.dataset.state = state;
      button.addEventListener("click", () => { view.state = state; filterList(); writeView(); });
      return button;
    };
    const chips = [chip("", "All", jobs.length)];
    for (const state of SEVERITY) {
      const n = jobs.filter((job) => job.state === state).length;
      if (n) chips.push(chip(state, STATES[state], n));
    }
    byId("chips").append(...chips);
  };

  // --- the rest of the page ------------------------------------------------------------------------------------------

  const showAll = () => {
    const windows = data.all.windows.length ? data.all.windows : NO_RUNS;
    WINDOW_NAMES.forEach((name, i) => byId("figures").append(el("div", null, el("dt", null, name),
      el("dd", { class: "rate" }, percent(windows[2 * i], windows[2 * i + 1])),
      el("dd", { class: "runs" }, runsAndFailures(windows[2 * i], windows[2 * i + 1])))));
    byId("fleet-strip").append(strip(data.all.days, 0.04));
    byId("axis-from").textContent = dayName(0);
    byId("head-days").textContent = `${data.days} days`;
    const key = (name, d, words) => byId("legend").append(el("span", null,
      svg("svg", { viewBox: "0 0 6 14", "aria-hidden": "true", focusable: "false" }, svg("path", { class: name, d })), words));
    key("ok", "M0 0h6v11H0z", "no failures");
    key("some", "M0 6h6v8H0z", "up to 10 % failed");
    key("many", "M0 3h6v11H0z", "more");
    key("none", "M0 8h6v3H0z", "no runs");
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

  // Relative times go on while the page is open, and a page that is old says so.
  const tick = () => {
    for (const node of document.querySelectorAll("time[data-ago]")) node.textContent = relative(Number(node.dataset.ago));
    const age = since(0);
    byId("generated").textContent = `${utc(0)}, ${relative(0)}`;
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

  const start = () => {
    setTheme(THEMES.includes(remembered()) ? remembered() : "system");
    byId("theme").hidden = false;
    byId("theme").addEventListener("click", () => {
      const theme = THEMES[(THEMES.indexOf(byId("theme").dataset.theme) + 1) % THEMES.length];
      setTheme(theme);
      remembered(theme);
    });

    showAll();
    makeChips();
    const near = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        finishLine(jobs[Number(entry.target.dataset.number)]);
        near.unobserve(entry.target);
      }
    }, { rootMargin: "600px" });
    jobs.forEach((job, number) => near.observe(makeItem(job, number)));
    readView();
    sortList();
    filterList();
    let first = 20; // what is seen first is whole from the first frame on
    for (const item of byId("list").querySelectorAll(".job:not([hidden])")) {
      if (first-- === 0) break;
      finishLine(jobs[Number(item.dataset.number)]);
    }
    showCauses();
    tick();
    setInterval(tick, 30000);

    byId("list").addEventListener("click", (event) => {
      const button = event.target.closest(".open");
      const item = event.target.closest(".job");
      if (!item || (!button && !event.target.closest(".line"))) return;
      toggle(jobs[Number(item.dataset.number)]);
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
    addEventListener("hashchange", () => { readView(); sortList(); filterList(); });
    byId("app").hidden = !jobs.length;
  };
  start();
})();

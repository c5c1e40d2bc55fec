// marks.js - what is drawn: a bar for each day, and a cell and a bar for each run.

// --- days ------------------------------------------------------------------------------------------------------------

// Triples of runs, failures and missed runs. "~3 5  7-1 0-0-2": three days without runs, one of 5 runs, another such,
// one of 7 with 1 failure, one on which 2 runs were missed.
const days = (text) => {
  const list = [];
  let same = [0, 0, 0];
  for (const token of text ? text.split(" ") : []) {
    if (token.startsWith("~")) for (let i = Number(token.slice(1)); i > 0; i--) list.push([0, 0, 0]);
    else list.push((same = token ? [...token.split("-").map(Number), 0, 0].slice(0, 3) : same));
  }
  while (list.length < data.days) list.push([0, 0, 0]);
  return list;
};

// A bar is what was expected of a day, and its parts are as high as their shares: from below what failed, what was
// missed, what succeeded. A share that is too small to be seen does not grow: below the bar of a day on which anything
// failed or was missed is a mark, whatever the share; so colour is not the only sign, either.
const DAY_STEP = 4, DAY_WIDTH = 3, DAY_HEIGHT = 26, MARK_TOP = 28, STRIP_HEIGHT = 31;
const part = (x, top, bottom) => `M${x} ${+top.toFixed(2)}h${DAY_WIDTH}V${+bottom.toFixed(2)}h-${DAY_WIDTH}z`;
const dayBars = (list, marked) => {
  const paths = { none: "", ok: "", missed: "", failed: "" };
  list.forEach(([runs, failures, missed], i) => {
    const x = i * DAY_STEP, expected = runs + missed;
    if (!expected) { paths.none += part(x, DAY_HEIGHT - 2, DAY_HEIGHT); return; }
    let bottom = DAY_HEIGHT;
    for (const [name, n] of [["failed", failures], ["missed", missed], ["ok", runs - failures]]) {
      const top = bottom - (n / expected) * DAY_HEIGHT;
      if (n) paths[name] += part(x, top, bottom);
      bottom = top;
    }
    if (marked && (failures || missed)) paths[failures ? "failed" : "missed"] += part(x, MARK_TOP, STRIP_HEIGHT);
  });
  return paths;
};

const summaryOf = (list) => {
  const on = (at) => list.filter((day) => day[at]).length;
  const quiet = list.filter((day) => !day[0]).length;
  return `${count(data.days, "day")}: ${on(1) ? `failures on ${on(1)}` : "no failures"}` +
    `${on(2) ? `, missed runs on ${on(2)}` : ""}${quiet ? `, no runs on ${quiet}` : ""}`;
};

// Of all jobs together, something fails on most days: there, marks would tell nothing.
const strip = (text, marked = true) => {
  const list = days(text);
  const node = svg("svg", {
    class: "strip", role: "img", "aria-label": summaryOf(list),
    viewBox: `0 0 ${data.days * DAY_STEP - 1} ${marked ? STRIP_HEIGHT : DAY_HEIGHT}`, preserveAspectRatio: "none",
  });
  for (const [name, path] of Object.entries(dayBars(list, marked))) {
    if (path) node.append(svg("path", { class: name, d: path }));
  }
  node.tipAt = (share) => {
    const day = Math.min(data.days - 1, Math.max(0, Math.floor(share * data.days)));
    return [dayName(day), counts(...list[day])];
  };
  return node;
};

// --- runs ------------------------------------------------------------------------------------------------------------

const RUN_WORDS = { ok: "succeeded", failed: "failed", missed: "missed", running: "running now" };

// The job's last runs, the oldest first, with those that were missed in between, and the one that is at it now:
// {state, ago, seconds}; null is unknown. "60/12.4 120!": a minute ago, one of 12.4 s, and before it a failure.
const runsOf = (job) => {
  if (job.cells) return job.cells;
  const runs = (job.recent || "").split(" ").filter(Boolean).map((token) => {
    const [, ago, failed, seconds] = /^(\?|-?\d+)(!?)(?:\/(.+))?$/.exec(token);
    return {
      ago: ago === "?" ? null : Number(ago), state: failed ? "failed" : "ok", seconds: seconds ? Number(seconds) : null,
    };
  });
  // Of the time before the last runs, what was missed is not shown: those that took place are not, either.
  const oldest = runs.length < job.runs ? Math.max(...runs.map((run) => run.ago ?? -Infinity)) : Infinity;
  const gaps = (job.gaps || "").split(" ").filter(Boolean).map(Number).filter((ago) => ago <= oldest);
  for (const ago of gaps) {
    const at = runs.findIndex((run) => run.ago !== null && run.ago > ago);
    runs.splice(at < 0 ? runs.length : at, 0, { ago, state: "missed", seconds: null });
  }
  if (job.scheduler_state === "running") {
    const seconds = job.begun === null ? null : Math.max(0, since(job.begun));
    runs.unshift({ ago: job.begun, state: "running", seconds });
  }
  return (job.cells = runs.reverse());
};

// A square for each run. What went wrong has a shape of its own: a failure is crossed out, a missed run is hollow.
const CELL = 10, CELL_STEP = 12;
const cellPaths = (runs, left, top) => {
  const paths = { ok: "", failed: "", cross: "", missed: "", running: "" };
  runs.forEach(({ state }, i) => {
    const x = left + i * CELL_STEP;
    const square = (by, side = CELL - 2 * by) => `M${x + by} ${top + by}h${side}v${side}h-${side}z`;
    paths[state] += square(state === "missed" || state === "running" ? 1 : 0);
    if (state === "failed") paths.cross += `M${x + 3} ${top + 3}l4 4m0-4l-4 4`;
    if (state === "running") paths.ok += `M${x + 3.5} ${top + 3.5}h3v3h-3z`;
  });
  return paths;
};

// Above the squares, how long each run took: all to one scale from zero, the longest of these as high as there is room.
const tookPath = (runs, left, height, longest) => runs.map(({ seconds }, i) => {
  if (seconds === null || !longest) return "";
  const high = Math.max(1, (seconds / longest) * height).toFixed(1);
  return `M${left + i * CELL_STEP + 2} ${height}v-${high}h6V${height}z`;
}).join("");

const longestOf = (runs) => Math.max(0, ...runs.map((run) => run.seconds ?? 0));

const tellRun = (run) => {
  const runs = run.state === "running";
  const long = run.seconds === null ? "" : runs ? ` for ${duration(since(run.ago))}` : ` in ${took(run.seconds)}`;
  return [run.ago !== null ? clock(run.ago) : runs ? "now" : "at an unreadable time", RUN_WORDS[run.state] + long];
};

const summaryOfRuns = (runs) => {
  const n = (state) => runs.filter((run) => run.state === state).length;
  return [`${n("ok")} succeeded`, `${n("failed")} failed`, n("missed") && `${n("missed")} missed`,
    n("running") && "one is running now"].filter(Boolean).join(", ");
};

// grid JOB MOST HEIGHT - of the last runs at most so many, with bars of that height; the newest is at the right end.
const grid = (job, most, height) => {
  const runs = runsOf(job).slice(-most);
  const left = (most - runs.length) * CELL_STEP, longest = longestOf(runs), top = height ? height + 3 : 0;
  const wide = most * CELL_STEP - (CELL_STEP - CELL);
  const node = svg("svg", {
    class: "runs", role: "img", viewBox: `0 0 ${wide} ${top + CELL}`, preserveAspectRatio: "xMaxYMid meet",
    "aria-label": runs.length ? `The last ${count(runs.length, "run")}: ${summaryOfRuns(runs)}` : "no runs",
  });
  const took = height ? tookPath(runs, left, height, longest) : "";
  if (took) node.append(svg("path", { class: "took", d: took }));
  for (const [name, path] of Object.entries(cellPaths(runs, left, top))) {
    if (path) node.append(svg("path", { class: name, d: path }));
  }
  node.tipAt = (share) => {
    const run = runs[Math.floor((share * wide + 1) / CELL_STEP) - (most - runs.length)];
    return run ? tellRun(run) : null;
  };
  return node;
};

// --- the tip ---------------------------------------------------------------------------------------------------------

// One for all: what happened on the day, or in the run, that the pointer is over.
const tip = byId("tip");
const hideTip = () => { tip.hidden = true; };
const showTip = (event) => {
  const target = event.target.closest && event.target.closest(".strip, .runs");
  const at = target && target.getBoundingClientRect();
  const words = target && target.tipAt((event.clientX - at.left) / at.width);
  if (!words) return hideTip();
  tip.replaceChildren(el("b", null, words[0]), words[1]);
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

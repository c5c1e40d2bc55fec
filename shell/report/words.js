// words.js - the status page's data, and how numbers and times are said.
//
// The data is one JSON object in the page (shell/report/json.bash says how it is made). The page's scripts are put one
// behind the other, as shell/commands/report.bash names them; everything from the data reaches the page as text, never
// as markup.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const jobs = data.jobs.map((row) => Object.fromEntries(data.columns.map((column, i) => [column, row[i]])));
const WINDOWS = ["24 h", "7 d", "30 d", "90 d"];
const WINDOW_NAMES = ["24 hours", "7 days", "30 days", "90 days"];
const NO_RUNS = [0, 0, 0, 0, 0, 0, 0, 0]; // and failures, in each window
const NONE_MISSED = [0, 0, 0, 0];
const onWall = document.body.dataset.kind === "wall";

// The words of states, the worst first.
const STATES = {
  died: "Died", failing: "Failing", unreadable: "Unreadable", overdue: "Overdue", flaky: "Flaky", running: "Running",
  ok: "OK", new: "No runs yet", paused: "Paused", orphaned: "Orphaned",
};
const SEVERITY = Object.keys(STATES);

const count = (n, one, many) => `${n.toLocaleString("en")} ${n === 1 ? one : many || one + "s"}`;

const duration = (seconds) => {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} days`;
};

// How long a run took: 0.2 s, 12.4 s, 3:05 min, 1:02 h.
const took = (seconds) => {
  if (seconds < 60) return `${Number(seconds.toFixed(seconds < 1 ? 2 : 1))} s`;
  const whole = Math.round(seconds);
  const two = (n) => String(n).padStart(2, "0");
  return whole < 3600 ? `${Math.floor(whole / 60)}:${two(whole % 60)} min`
    : `${Math.floor(whole / 3600)}:${two(Math.floor((whole % 3600) / 60))} h`;
};

// How long ago, for the reader of now; the data counts back from when the page was made.
const since = (ago) => Date.now() / 1000 - data.generated + ago;
const relative = (ago) => {
  const s = since(ago);
  if (s < -30) return `in ${duration(-s)}`;
  return s < 30 ? "just now" : `${duration(s)} ago`;
};

// The zone's clock. A browser that does not know the zone shows UTC, and says so behind each time.
const clockOf = (timeZone) => new Intl.DateTimeFormat("en-GB", {
  timeZone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
  second: "2-digit", timeZoneName: "short",
});
let zoneClock;
try { zoneClock = clockOf(data.zone); } catch { zoneClock = clockOf("UTC"); }

const clock = (ago) => {
  const date = new Date((data.generated - ago) * 1000);
  if (Number.isNaN(date.getTime())) return "a time out of range";
  if (date.getUTCFullYear() < 0 || date.getUTCFullYear() > 9999) return `${date.toISOString()}`;
  const part = Object.fromEntries(zoneClock.formatToParts(date).map(({ type, value }) => [type, value]));
  return `${part.year.padStart(4, "0")}-${part.month}-${part.day} ${part.hour}:${part.minute}:${part.second} ` +
    part.timeZoneName;
};

const dayName = (day, year = "numeric") => new Date((data.first_day + day) * 86400000)
  .toLocaleDateString("en", { weekday: "short", day: "numeric", month: "short", year, timeZone: "UTC" });

// 99.97 % is not 100 %, and 0.03 % is not 0: cut, not rounded.
const percent = (runs, failures) => {
  if (!runs) return "–";
  if (!failures) return "100 %";
  const tenths = Math.floor((1000 * (runs - failures)) / runs);
  return tenths === 0 && runs > failures ? "<0.1 %" : `${(tenths / 10).toFixed(1)} %`;
};

const counts = (runs, failures, missed) => [
  runs ? `${count(runs, "run")}, ${failures ? `${failures.toLocaleString("en")} failed` : "none failed"}` : "no runs",
  missed ? `${missed.toLocaleString("en")} missed` : "",
].filter(Boolean).join(", ");

// --- building --------------------------------------------------------------------------------------------------------

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
  svg("svg", { class: `sign ${state}`, "aria-hidden": "true", focusable: "false" },
    svg("use", { href: `#i-${state}` }));

const time = (ago) =>
  ago === null ? "at an unreadable time" : el("time", { "data-ago": ago, title: clock(ago) }, relative(ago));

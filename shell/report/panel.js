// panel.js - what a job unfolds to.

const MOST_RUNS = 60, MOST_RUNS_NARROW = 30;

const section = (title, ...children) => el("section", null, el("h4", null, title), ...children);
const wide = (node) => { node.classList.add("wide"); return node; };
const capital = (words) => words[0].toUpperCase() + words.slice(1);

const median = (list) => {
  const sorted = [...list].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};
const usual = (runs) => {
  const known = runs.filter((run) => run.state === "ok" && run.seconds !== null).map((run) => run.seconds);
  return known.length ? median(known) : null;
};

// Runs stand side by side, however long ago they were: the axis says from when to when.
const runsSection = (job) => {
  const runs = runsOf(job).slice(-(innerWidth < 700 ? MOST_RUNS_NARROW : MOST_RUNS));
  if (!runs.length) return null;
  const longest = longestOf(runs), from = runs.find((run) => run.ago !== null);
  const to = [...runs].reverse().find((run) => run.ago !== null);
  const ended = to && to.state !== "running" ? clock(to.ago) : "now";
  return wide(section(runs.length === 1 ? "The last run" : `The last ${runs.length} runs: ${summaryOfRuns(runs)}`,
    longest ? el("p", { class: "scale" }, `${took(longest)}, the longest`) : null,
    grid(job, Math.max(runs.length, 30), longest ? 48 : 0),
    el("p", { class: "axis" }, el("span", null, from ? clock(from.ago) : "at unreadable times"),
      el("span", null, to && runs.length > 1 ? ended : ""))));
};

const latestSection = (job) => {
  const runs = runsOf(job).slice(-5).reverse();
  if (!runs.length) return null;
  const list = el("ol", { class: "runs-list" });
  const signs = { ok: "ok", failed: "failing", missed: "overdue", running: "running" };
  for (const run of runs) {
    const [when, words] = tellRun(run);
    list.append(el("li", null, sign(signs[run.state]), capital(words), el("span", null, when)));
  }
  return section("Latest", list);
};

// On which days something went wrong. Where a job runs once a day, "1 of 1" on each of them would tell nothing.
const dayWords = (runs, failures, missed) => [
  failures && (runs === 1 ? "failed" : `${failures.toLocaleString("en")} of ${count(runs, "run")} failed`),
  missed && (runs || missed > 1 ? `${missed.toLocaleString("en")} missed` : "missed"),
].filter(Boolean).join(", ");

const badDaysSection = (job) => {
  const byWords = new Map();
  const bad = days(job.days).map((day, i) => [i, ...day]).filter((day) => day[2] || day[3]).reverse();
  for (const [day, ...numbers] of bad.slice(0, 12)) {
    const words = dayWords(...numbers);
    byWords.set(words, [...(byWords.get(words) || []), dayName(day, undefined)]);
  }
  const list = el("dl", { class: "facts" });
  for (const [words, names] of byWords) {
    list.append(el("dt", null, capital(words)), el("dd", null, names.join(" · ")));
  }
  return wide(section(summaryOf(days(job.days)), el("div", { class: "tall" }, strip(job.days)),
    el("p", { class: "axis" }, el("span", null, dayName(0)), el("span", null, "today")), bad.length ? list : null,
    bad.length > 12 ? el("p", { class: "cut" }, `and on ${count(bad.length - 12, "day")} before`) : null));
};

const signature = (number) => el("code", null, data.signatures[number - 1] || "(no error text)");

const causesSection = (job) => {
  if (!job.causes || !job.causes.length) return null;
  const list = el("ul", { class: "tally" });
  for (const [number, times] of job.causes) {
    list.append(el("li", null, el("b", null, times.toLocaleString("en")), signature(number)));
  }
  const more = job.kinds - job.causes.length;
  return section(`Why it failed, ${data.days} days`, list,
    more > 0 ? el("p", { class: "cut" }, `and ${count(more, "cause")} that occurred less often`) : null);
};

const textSection = (title, text, length) => {
  if (text === null || text === undefined) return null;
  if (!length) return section(title, el("p", { class: "cut" }, "Nothing was printed."));
  const shown = [...text].length;
  return section(title, el("pre", { tabindex: "0", role: "group", "aria-label": title }, text),
    length > shown ? el("p", { class: "cut" },
      `The first ${count(shown, "character")} of ${length.toLocaleString("en")}.`) : null);
};

const lastText = (job) =>
  textSection(job.streak < 0 ? "Error of the last run" : "Output of the last run", job.text, job.text_length);

const otherText = (job) => {
  const title = job.streak < 0 ? "Output of the last success" : "Error of the last failure";
  const when = job.other_at === null ? "" : `, ${relative(job.other_at)}`;
  return textSection(title + when, job.other, job.other_length);
};

const factsSection = (job) => {
  const list = el("dl", { class: "facts" });
  const fact = (name, ...values) => list.append(el("dt", null, name), el("dd", null, ...values));
  const [last] = runsOf(job).filter((run) => run.seconds !== null && run.state !== "running").slice(-1);
  const typical = usual(runsOf(job));
  if (job.name) fact("Job id", el("bdi", null, job.id));
  if (job.schedule) fact("Schedule", job.schedule);
  if (job.next !== null && job.scheduler_state !== "paused") {
    fact(since(job.next) > 30 ? "Was due" : "Next run", time(job.next));
  }
  if (job.scheduler_state && ![job.state, "idle", "overdue"].includes(job.scheduler_state)) {
    fact("Now", STATES[job.scheduler_state] || job.scheduler_state);
  }
  if (last) fact("Took", typical === null ? took(last.seconds) : `${took(last.seconds)}; usually ${took(typical)}`);
  fact("All runs kept", counts(job.runs, job.failures));
  if (job.runs) fact("Last success", job.failures === job.runs ? "never" : time(job.last_success));
  for (const [reason, lines] of job.rejects || []) fact("No records", `${count(lines, "line")}: ${reason}`);
  return section("About", list);
};

const ratesSection = (job) => {
  const rates = ratesOf(job);
  rates.classList.add("figures");
  const node = wide(section("Success rate", rates));
  node.classList.add("narrow-only");
  return node;
};

const makePanel = (job) => {
  const what = el("div", { class: "column" });
  const when = el("div", { class: "column" });
  const nothing = job.state === "unreadable"
    ? "The file of this job's results could not be read when the page was made."
    : "This job has not run yet, or none of its results were kept.";
  fill(what, null, job.runs ? [lastText(job), causesSection(job), otherText(job)]
    : [section("Results", el("p", { class: "cut" }, nothing))]);
  fill(when, null, [factsSection(job), latestSection(job)]);
  const panel = el("div", { class: "panel", role: "group", "aria-label": `${label(job)}: details` });
  panel.id = `panel-${job.item.dataset.number}`;
  return fill(panel, null, [ratesSection(job), runsSection(job), badDaysSection(job), what, when]);
};

// The address names the job that was unfolded last.
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
  view.open = open ? job.id : "";
};

const unfoldLinked = () => {
  const job = view.open && jobs.find(({ id }) => id === view.open);
  if (!job || job.button.getAttribute("aria-expanded") === "true") return;
  finishLine(job);
  toggle(job);
  if (job.item.getBoundingClientRect().top > innerHeight - 200) job.item.scrollIntoView({ block: "start" });
};

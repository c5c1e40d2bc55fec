// line.js - a job's line in the list. It is there at once with its name; the rest of it is made when it comes near the
// window, and what it unfolds to when it is unfolded, so that 2,000 jobs are there at once.

const RUNS_IN_LINE = 20;

const streak = (job) => {
  const n = Math.abs(job.streak);
  if (!n) return "";
  return `${n === 1 ? "last run" : `last ${n.toLocaleString("en")} runs`} ${job.streak < 0 ? "failed" : "ok"}`;
};

// Of a flaky job: what it is that makes it one.
const trouble = (job) => {
  const [runs, failures] = (job.windows || NO_RUNS).slice(4, 6);
  const missed = (job.missed || NONE_MISSED)[2];
  const words = [failures && `${failures.toLocaleString("en")} of ${runs.toLocaleString("en")} failed`,
    missed && `${missed.toLocaleString("en")} missed`];
  return `${words.filter(Boolean).join(", ")} in 30 d`;
};

const about = (job) => {
  if (job.state === "flaky") return trouble(job);
  if (job.state === "overdue") return `was due ${duration(since(0) + job.overdue)} ago`;
  if (job.state === "orphaned") return "no longer scheduled";
  if (job.state === "unreadable") return "its file cannot be read";
  if (job.state === "died") return "while it was running";
  if (job.state === "running" && job.begun !== null) return `for ${duration(since(job.begun))}`;
  return [streak(job), job.state === "failing" && job.scheduler_state === "running" && "running now",
    job.scheduler_state === "unknown" && "next run at an unreadable time"].filter(Boolean).join(", ");
};

// Less than 90 % is bold; what is 100 % or unknown steps back. Colour is for states and runs alone.
const rate = (job, i) => {
  const [runs, failures] = (job.windows || NO_RUNS).slice(2 * i, 2 * i + 2);
  const kind = !runs ? "no" : failures * 10 > runs ? "low" : failures ? "" : "full";
  const title = `${WINDOW_NAMES[i]}: ${counts(runs, failures, (job.missed || NONE_MISSED)[i])}`;
  return el("dd", { class: kind, "data-window": WINDOWS[i], title }, percent(runs, failures));
};

const ratesOf = (job) => {
  const list = el("dl", { class: "rates" });
  WINDOW_NAMES.forEach((name, i) => list.append(el("dt", { class: "hide" }, `Success rate, ${name}`), rate(job, i)));
  return list;
};

const lastOf = (job) => {
  if (job.last !== null) return time(job.last);
  return job.runs ? "at an unreadable time" : job.state === "unreadable" ? "unknown" : "never";
};

const finishLine = (job) => {
  if (job.finished) return;
  job.finished = true;
  job.line.querySelector(".name").append(el("p", { class: `meta ${job.state}` }, sign(job.state),
    el("span", { class: "word" }, STATES[job.state]), el("span", { class: "about" }, about(job))));
  job.line.append(grid(job, RUNS_IN_LINE, 13), strip(job.days), ratesOf(job), el("p", { class: "ago" }, lastOf(job)),
    svg("svg", { class: "more", viewBox: "0 0 18 18", "aria-hidden": "true", focusable: "false" },
      svg("path", { d: "M4.5 7l4.5 4.5L13.5 7" })));
};

const label = (job) => job.name || job.id || "(no name)";

const makeItem = (job, number) => {
  job.button = el("button", { type: "button", class: "open", "aria-expanded": "false" }, el("bdi", null, label(job)));
  job.line = el("div", { class: "line" }, el("div", { class: "name" }, el("h3", null, job.button)));
  job.item = el("li", { class: "job" }, job.line);
  job.item.dataset.number = number;
  job.key = `${label(job)}\n${job.id}`.toLowerCase();
  return job.item;
};

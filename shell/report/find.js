// find.js - which jobs are shown, and in which order.

const view = { state: "", search: "", sort: "problems", open: "" };

// The view is in the address, so that it can be linked to and outlives a reload.
const readView = () => {
  const given = new URLSearchParams(location.hash.slice(1));
  view.state = given.get("state") in STATES ? given.get("state") : "";
  view.search = given.get("search") || "";
  view.open = given.get("open") || "";
  view.sort = given.get("sort") in ORDERS ? given.get("sort") : "problems";
  byId("search").value = view.search;
  byId("sort").value = view.sort;
};
const writeView = () => {
  const hash = new URLSearchParams();
  if (view.state) hash.set("state", view.state);
  if (view.search) hash.set("search", view.search);
  if (view.sort !== "problems") hash.set("sort", view.sort);
  if (view.open) hash.set("open", view.open);
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
  for (const chip of byId("chips").children) {
    chip.setAttribute("aria-pressed", String(chip.dataset.state === view.state));
  }
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

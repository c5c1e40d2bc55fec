// wall.js - the page on a wall: as many jobs as fit, problems first, and no scrolling.

const LEAST_LINE = 38; // pixels; less cannot be read from afar

// Lines share the height between them. Jobs that do not fit are at least counted, by their states.
const fitLines = () => {
  const list = byId("list"), items = [...list.children];
  const room = Math.max(1, Math.floor(list.clientHeight / LEAST_LINE));
  const shown = Math.min(items.length, room);
  list.style.setProperty("--lines", Math.max(shown, 10));
  items.forEach((item, i) => { item.hidden = i >= shown; });
  for (const item of items.slice(0, shown)) finishLine(jobs[Number(item.dataset.number)]);
  const rest = items.slice(shown).map((item) => jobs[Number(item.dataset.number)].state);
  const told = SEVERITY.filter((state) => rest.includes(state))
    .map((state) => `${rest.filter((other) => other === state).length} ${STATES[state].toLowerCase()}`);
  byId("rest").textContent = rest.length ? `and ${count(rest.length, "more job")}: ${told.join(", ")}` : "";
};

const hangOnWall = () => {
  byId("rest").hidden = false;
  fitLines();
  addEventListener("resize", fitLines);
};

"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

/** An element with text and children; text is never read as markup. */
function element(name, { text, className, children = [] } = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function list(title, items) {
  return items.length === 0 ? [] : [
    element("h2", { text: title }),
    element("ul", { children: items.map((text) => element("li", { text })) }),
  ];
}

document.title = data.verdict;
byId("verdict").textContent = data.verdict;
byId("sentence").textContent = data.sentence;
byId("demand").textContent = data.demand;
const why = byId("why");
if (data.crash) why.append(element("p", { text: data.crash }));
if (data.takes.length === 0) why.append(element("p", { text: "No particular order is needed: it fails in the default order." }));
why.append(...list("It takes this, against the default order", data.takes));
if (data.flip) {
  why.append(
    element("h2", { text: "What decides, seen by running both" }),
    element("p", { className: "flip", text: `fails: ${data.flip.first} before ${data.flip.second}` }),
    element("p", { text: `holds: ${data.flip.second} before ${data.flip.first} (${data.flip.condition})` }),
  );
}
why.append(...list("Blocked for ever", data.blocked));
byId("again").append(
  element("h2", { text: "Do it again" }),
  ...data.commands.map((text) => element("code", { text })),
  ...(data.rate ? [element("p", { className: "quiet", text: data.rate })] : []),
);

// Time is stretched where much happens, and cut short where nothing does: between two instants at least STEP and at most GAP.
const STEP = 16, GAP = 90, LEFT = 14, LANE = 44, TOP = 30;
const instants = [...new Set([...data.events.map((event) => event.at), ...data.bars.flatMap((bar) => [bar.from, bar.to])])].sort((a, b) => a - b);
const crowd = new Map();
for (const event of data.events) {
  const key = `${event.at} ${event.lane}`;
  event.nth = crowd.get(key) ?? 0;
  crowd.set(key, event.nth + 1);
}
const widest = new Map();
for (const event of data.events) widest.set(event.at, Math.max(widest.get(event.at) ?? 0, event.nth));
const places = new Map();
let reach = LEFT;
instants.forEach((at, index) => {
  if (index > 0) {
    const before = instants[index - 1];
    const gap = STEP + 12 * Math.log10(1 + (at - before) / 100);
    reach += Math.min(GAP, gap) + (widest.get(before) ?? 0) * 9;
  }
  places.set(at, reach);
});
// Short runs use the width there is.
const STRETCH_MAX = 2.4, RIGHT = 120;
const stretch = Math.max(1, Math.min(STRETCH_MAX, (byId("lanes").clientWidth - RIGHT) / reach));
for (const [at, place] of places) places.set(at, place * stretch);
reach *= stretch;
const x = (at, nth = 0) => places.get(at) + nth * 9;
const y = (lane) => TOP + lane * LANE + 30;

const NS = "http" + "://www.w3.org/2000/svg";
function shape(name, attributes, text) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

const width = reach + RIGHT, height = TOP + data.lanes.length * LANE + 12;
const svg = shape("svg", { width, height, role: "img", "aria-label": `${data.lanes.length} lanes, ${data.events.length} events` });
const hatch = shape("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
hatch.append(shape("rect", { width: 3, height: 6, fill: "var(--wait)" }));
const definitions = shape("defs", {});
definitions.append(hatch);
svg.append(definitions);

let lastTick = -Infinity;
for (const at of instants) {
  if (x(at) - lastTick < 70) continue;
  lastTick = x(at);
  svg.append(shape("line", { class: "tickline", x1: x(at), x2: x(at), y1: TOP - 6, y2: height }));
  svg.append(shape("text", { class: "tick", x: x(at) + 3, y: 16 }, `${(at / 1000).toFixed(3)} ms`));
}
data.lanes.forEach((name, lane) => {
  svg.append(shape("text", { class: "lane", x: LEFT, y: y(lane) - 10 }, name));
});
for (const bar of data.bars) {
  const height = bar.kind === "life" ? 12 : 8;
  const open = bar.open && bar.kind === "wait" ? " open" : "";
  svg.append(shape("rect", {
    class: `bar ${bar.kind}${open}`, x: x(bar.from), y: y(bar.lane) - height / 2, rx: 3,
    width: Math.max(4, x(bar.to) - x(bar.from) + (bar.open ? 40 : 0)), height,
  }));
}
const decisive = new Set(data.flip ? data.flip.events.filter((index) => index !== null) : []);
if (decisive.size === 2) {
  const [a, b] = data.flip.events.map((index) => data.events[index]);
  svg.append(shape("path", { class: "join", d: `M ${x(a.at, a.nth)} ${y(a.lane)} L ${x(b.at, b.nth)} ${y(b.lane)}` }));
}
const cursor = shape("line", { class: "cursor", y1: TOP - 6, y2: height });
svg.append(cursor);
const dots = data.events.map((event, index) => {
  const dot = shape("circle", { class: decisive.has(index) ? "dot flip" : "dot", cx: x(event.at, event.nth), cy: y(event.lane), r: decisive.has(index) ? 6 : 4 });
  dot.append(shape("title", {}, `${(event.at / 1000).toFixed(3)} ms: ${data.lanes[event.lane]} ${event.what}`));
  dot.addEventListener("click", () => choose(index));
  svg.append(dot);
  return dot;
});
const lanes = byId("lanes");
lanes.append(svg);

let chosen = -1;
function choose(index) {
  if (data.events.length === 0) return;
  dots[chosen]?.classList.remove("chosen");
  chosen = Math.max(0, Math.min(data.events.length - 1, index));
  const event = data.events[chosen], dot = dots[chosen];
  dot.classList.add("chosen");
  for (const end of ["x1", "x2"]) cursor.setAttribute(end, dot.getAttribute("cx"));
  byId("event").textContent = `${(event.at / 1000).toFixed(3)} ms: ${data.lanes[event.lane]} ${event.what}`;
  byId("meaning").textContent = event.meaning + (decisive.has(chosen) ? "; its place in the order decides" : "");
  byId("place").textContent = `event ${chosen + 1} of ${data.events.length}`;
  const at = Number(dot.getAttribute("cx"));
  if (at < lanes.scrollLeft + 40 || at > lanes.scrollLeft + lanes.clientWidth - 40) lanes.scrollLeft = at - lanes.clientWidth / 2;
}
byId("previous").addEventListener("click", () => choose(chosen - 1));
byId("next").addEventListener("click", () => choose(chosen + 1));
document.addEventListener("keydown", (pressed) => {
  const to = { ArrowLeft: chosen - 1, ArrowRight: chosen + 1, Home: 0, End: data.events.length - 1 }[pressed.key];
  if (to === undefined || pressed.ctrlKey || pressed.altKey || pressed.metaKey) return;
  pressed.preventDefault();
  choose(to);
});
choose(decisive.size > 0 ? Math.min(...decisive) : 0);

"use strict";
const stage = document.querySelector(".stage");
const overlay = stage.querySelector("svg");
const chosen = overlay.querySelector(".chosen");
const added = overlay.querySelector(".added");
const reading = document.querySelector(".reading");
const switches = document.querySelector(".switches");
const form = document.querySelector(".place");
const { column: columnInput, row: rowInput, metres: metresInput } = form.elements;
const here = form.querySelector(".here");
const flags = document.querySelector(".flags");
const list = flags.querySelector(".list");
const text = flags.querySelector(".text");
const news = flags.querySelector(".news");
const width = Number(stage.dataset.width);
const height = Number(stage.dataset.height);
const columns = Number(stage.dataset.columns);
const rows = Number(stage.dataset.rows);
const codes = Uint8Array.from(atob(stage.dataset.depth), (letter) => letter.charCodeAt(0));
const calibrated = JSON.parse(stage.dataset.points).map(([column, row, metres]) => ({ column, row, metres }));
let points = [...calibrated];

function readDepth(column, row) {
  const at = Math.floor(row * rows / height) * columns + Math.floor(column * columns / width);
  return (codes[2 * at] + 256 * codes[2 * at + 1]) / Number(stage.dataset.scale);
}

function describeDepth(column, row) {
  const metres = readDepth(column, row);
  return metres ? `depth ${metres.toFixed(metres < 10 ? 2 : 1)}${stage.dataset.unit}` : "depth unknown";
}

function locate(event) {
  const box = stage.getBoundingClientRect();
  const clip = (share, length) => Math.min(Math.max(Math.floor(share * length), 0), length - 1);
  return [clip((event.clientX - box.left) / box.width, width), clip((event.clientY - box.top) / box.height, height)];
}

function read(event) {
  const [column, row] = locate(event);
  reading.textContent = `Column ${column}, row ${row}: ${describeDepth(column, row)}`;
}

function move(mark, column, row) {
  mark.setAttribute("transform", `translate(${column + 0.5} ${row + 0.5})`);
}

// Only a place that is in the picture is marked there.
function mark() {
  const valid = columnInput.value !== "" && rowInput.value !== "" && columnInput.checkValidity() &&
    rowInput.checkValidity();
  chosen.toggleAttribute("hidden", !valid);
  here.textContent = valid ? `Here: ${describeDepth(columnInput.valueAsNumber, rowInput.valueAsNumber)}` : "";
  if (valid) move(chosen, columnInput.valueAsNumber, rowInput.valueAsNumber);
}

function choose(event) {
  [columnInput.value, rowInput.value] = locate(event);
  read(event);
  mark();
  metresInput.focus();
}

function isAt(one, other) {
  return one.column === other.column && one.row === other.row;
}

function formatFlag({ column, row, metres }) {
  return `--known=${column},${row},${metres}`;
}

function add(event) {
  event.preventDefault();
  const point = { column: columnInput.valueAsNumber, row: rowInput.valueAsNumber, metres: metresInput.valueAsNumber };
  const before = points.findIndex((other) => isAt(other, point));
  if (before < 0) points.push(point);
  else points[before] = point;
  form.reset();
  mark();
  show();
  news.textContent = `${before < 0 ? "Added" : "Changed"}: ${formatFlag(point)}`;
  columnInput.focus({ preventScroll: true });
}

function remove(point) {
  const number = points.indexOf(point);
  points = points.filter((other) => other !== point);
  show();
  news.textContent = `Removed: ${formatFlag(point)}`;
  // The button that was pressed is gone.
  (list.querySelectorAll("button")[Math.min(number, points.length - 1)] ?? columnInput).focus();
}

function draw(name, attributes) {
  const element = document.createElementNS(overlay.namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function drawPoint(point) {
  const place = draw("g", {});
  const disk = draw("g", { class: "fixed" });
  disk.append(draw("circle", { r: 7 }));
  const isRight = point.column > 0.7 * width;
  const label = draw("text", { class: "fixed", x: isRight ? -12 : 12, dy: ".35em",
    "text-anchor": isRight ? "end" : "start" });
  label.textContent = `${point.metres} m`;
  place.append(disk, label);
  move(place, point.column, point.row);
  return place;
}

function listPoint(point) {
  const item = document.createElement("li");
  const code = document.createElement("code");
  code.textContent = formatFlag(point);
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Remove";
  button.setAttribute("aria-label", `Remove ${code.textContent}`);
  button.addEventListener("click", () => remove(point));
  item.append(code, button);
  return item;
}

function show() {
  list.replaceChildren(...points.map(listPoint));
  flags.querySelector(".none").hidden = points.length > 0;
  flags.querySelector(".copy").disabled = points.length === 0;
  text.value = points.map(formatFlag).join(" ");
  added.replaceChildren(...points.filter((point) => !calibrated.includes(point)).map(drawPoint));
  const places = calibrated.filter((point) => points.includes(point)).map(({ column, row }) => `${column},${row}`);
  for (const point of overlay.querySelectorAll(".point")) {
    point.toggleAttribute("hidden", !places.includes(point.dataset.place));
  }
}

async function copy() {
  try {
    await navigator.clipboard.writeText(text.value);
    news.textContent = "Copied.";
  } catch {
    text.focus();
    text.select();
    news.textContent = "Selected; copy it with Ctrl+C or by a long press.";
  }
}

function showLayers() {
  for (const box of switches.querySelectorAll("input")) {
    overlay.querySelector(`:scope > .${box.name}`).toggleAttribute("hidden", !box.checked);
  }
}

// Text and marks keep their size on the screen.
new ResizeObserver(() => stage.style.setProperty("--pixel", width / stage.clientWidth)).observe(stage);
form.hidden = flags.hidden = false;
stage.addEventListener("click", choose);
stage.addEventListener("pointermove", read);
switches.addEventListener("change", showLayers);
form.addEventListener("input", mark);
form.addEventListener("submit", add);
flags.querySelector(".copy").addEventListener("click", copy);
showLayers();
show();

"use strict";
// Draws the figures with the plotly that lies compressed in the page, and minds the buttons. Needs no network.

const all = (what, inside = document) => [...inside.querySelectorAll(what)];
const pressed = button => button.getAttribute("aria-pressed") === "true";
const press = (button, on) => button.setAttribute("aria-pressed", on ? "true" : "false");

async function unpack(id) {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), c => c.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

async function draw() {
  const plots = all(".plot");
  if (plots.length) {
    const script = document.createElement("script");
    script.textContent = await unpack("plotly");
    document.head.append(script);
  }
  for (const plot of plots) {
    const told = JSON.parse(plot.nextElementSibling.textContent);
    await Plotly.newPlot(plot, told.data, told.layout, {
      responsive: true, displaylogo: false, plotlyServerURL: "", showSendToCloud: false,  // nothing leaves the page
      modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
      toImageButtonOptions: {format: "svg", filename: plot.dataset.name},
    });
  }
  document.documentElement.dataset.drawn = plots.length;
}

// What is seen of a place: one axis, with or without seeds and training, and the methods that are not switched off.
function show(place) {
  const axis = all("[data-axis]", place).find(pressed)?.dataset.axis;
  const off = new Set(all("[data-method]", place).filter(b => !pressed(b)).map(b => Number(b.dataset.method)));
  const parts = new Set(all("[data-part]", place).filter(b => !pressed(b)).map(b => b.dataset.part));
  for (const plot of all(".plot", place)) {
    const visible = plot.data.map(t => !off.has(t.meta.method) && !parts.has(t.meta.part) && (!axis || !t.meta.axis || t.meta.axis === axis));
    const told = plot.layout.meta?.axes?.[axis];
    const layout = told ? {"xaxis.title.text": told.title, "xaxis.range": [0, told.end]} : {};
    Plotly.update(plot, {visible}, layout);
  }
}

for (const place of all(".env")) {
  for (const button of all("button[aria-pressed]", place)) {
    button.addEventListener("click", () => {
      const others = button.dataset.axis ? all("[data-axis]", place) : [];
      others.forEach(other => press(other, false));
      press(button, others.length > 0 || !pressed(button));
      show(place);
    });
  }
}

// Tables: a click on a head sorts by the number that a cell begins with, else by its words.
const worth = row => column => {
  const text = row.cells[column].textContent.trim();
  const number = parseFloat(text.replaceAll(",", ""));
  return Number.isNaN(number) ? text : number;
};
function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return typeof a === typeof b ? a.localeCompare(b) : typeof a === "number" ? -1 : 1;
}
for (const table of all("table.sortable")) {
  all("thead th", table).forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      all("th", table).forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = table.tBodies[0];
      body.append(...[...body.rows].sort((a, b) => (down ? -1 : 1) * compare(worth(a)(column), worth(b)(column))));
    });
  });
}

// On paper: figures are scaled to the page as they are, and everything is folded open.
let folded = [];
addEventListener("beforeprint", () => {
  folded = all("details:not([open])");
  folded.forEach(one => { one.open = true; });
  for (const canvas of all(".svg-container")) {
    const size = [canvas.clientWidth, canvas.clientHeight];
    canvas.style.aspectRatio = size.join("/");
    all(".main-svg", canvas).forEach(svg => svg.setAttribute("viewBox", `0 0 ${size.join(" ")}`));
  }
});
addEventListener("afterprint", () => {
  folded.forEach(one => { one.open = false; });
  all(".main-svg").forEach(svg => svg.removeAttribute("viewBox"));
});

draw().catch(error => {
  all(".plot").forEach(plot => {
    plot.style.height = "auto";
    plot.textContent = `This figure could not be drawn (${error}). It needs a browser of 2023 or newer, with JavaScript.`;
    plot.classList.add("failed");
  });
  console.error(error);
});

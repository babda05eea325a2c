// The report page: data on demand, the list of clips with its filters, distributions, scatter,
// failures. The clip that is open is in player.js. Data are never HTML: only text is set.
"use strict";

const report = (() => {
  const PAGE_ROWS = 50, FAILURE_ROWS = 100, LINE_POINTS = 200, N_COLOURS = 8;
  const QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95];
  const waiting = new Map(), loaded = new Map();
  const $ = (id) => document.getElementById(id);
  let about, clips, shown = [], first = 0, nFailures = 0;

  // A file page may read no files, but may add scripts, each of which calls add once.
  function load(file, name) {
    if (!loaded.has(name)) {
      loaded.set(name, new Promise((resolve, reject) => {
        waiting.set(name, resolve);
        const script = document.createElement("script");
        script.src = file.split("/").map(encodeURIComponent).join("/");
        script.onload = () => script.remove();
        script.onerror = () => { loaded.delete(name); reject(new Error(`${file} cannot be read: is the folder of this page complete?`)); };
        document.head.append(script);
      }));
    }
    return loaded.get(name);
  }
  function add(name, value) {
    waiting.get(name)(value);
    waiting.delete(name);
  }
  function fail(error) {
    $("problem").hidden = false;
    $("problem").textContent = error.message;
  }

  const scoresOf = (metric) => load(`data/scores/${metric}.js`, `scores ${metric}`);
  const isNumber = (value) => value !== null && value !== undefined;
  const format = (value, metric) => (isNumber(value) ? value.toFixed(about.metrics[metric].decimals) : "–");
  const colour = (run) => `var(--c${run % N_COLOURS})`;
  const competing = () => {
    const some = about.runs.map((run, i) => i).filter((i) => !about.runs[i].anchor);
    return some.length ? some : about.runs.map((run, i) => i);
  };
  function element(tag, text, attributes = {}) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }
  function fillSelect(id, texts, values = texts.map((text, i) => i)) {
    $(id).replaceChildren(...texts.map((text, i) => element("option", text, { value: values[i] })));
  }
  function fillTable(id, caption, headings, rows) {
    const head = element("tr");
    head.append(...headings.map((text) => element("th", text, { scope: "col" })));
    const body = rows.map((cells) => {
      const row = element("tr");
      row.append(...cells.map((cell, i) => {
        const made = element(i ? "td" : "th", undefined, i ? {} : { scope: "row" });
        made.append(cell);
        return made;
      }));
      return row;
    });
    const parts = [element("caption", caption), element("thead"), element("tbody")];
    parts[1].append(head);
    parts[2].append(...body);
    $(id).replaceChildren(...parts);
  }

  // The list: what is filtered and ordered by is the score of one system, or the mean of those
  // that compete. An order for the worse or the better puts clips without a score last.
  function measure(values, system) {
    const runs = competing();
    return clips.names.map((name, i) => {
      const some = runs.map((run) => values[run][i]).filter(isNumber);
      const spread = some.length > 1 ? Math.max(...some) - Math.min(...some) : null;
      const mean = some.length ? some.reduce((sum, value) => sum + value, 0) / some.length : null;
      return { value: system === "" ? mean : values[Number(system)][i], spread };
    });
  }
  async function update() {
    const metric = Number($("metric").value), system = $("system").value, order = $("order").value;
    const values = await scoresOf(metric), measured = measure(values, system);
    const words = $("search").value.trim().toLowerCase();
    const axis = $("axis").value && clips.axes[$("axis").value], group = $("group").value;
    const least = $("least").value === "" ? -Infinity : Number($("least").value);
    const most = $("most").value === "" ? Infinity : Number($("most").value);
    const isBounded = least !== -Infinity || most !== Infinity;
    shown = clips.names.map((name, i) => i).filter((i) => {
      const value = measured[i].value;
      return (!words || clips.names[i].toLowerCase().includes(words) || clips.prompts[i].toLowerCase().includes(words))
        && (!axis || group === "" || axis.of[i] === Number(group))
        && (!isBounded || (isNumber(value) && value >= least && value <= most))
        && (!$("only-media").checked || i in clips.media);
    });
    if (order !== "name") {
      const sign = order === "different" || (order === "worst") === (about.metrics[metric].better === "lower") ? -1 : 1;
      const key = (i) => (order === "different" ? measured[i].spread : measured[i].value);
      const last = (i) => (isNumber(key(i)) ? sign * key(i) : Infinity);
      shown.sort((a, b) => (last(a) < last(b) ? -1 : last(a) > last(b) ? 1 : a - b));
    }
    first = 0;
    $("count").textContent = `${shown.length.toLocaleString("en")} of ${clips.names.length.toLocaleString("en")} clips`;
    drawList(metric, values);
    drawDistribution().catch(fail);
    drawScatter().catch(fail);
  }
  function drawList(metric, values) {
    const rows = shown.slice(first, first + PAGE_ROWS).map((i) => {
      const name = element("button", clips.names[i], { type: "button", class: "link" });
      name.addEventListener("click", () => report.open(i));
      const media = i in clips.media ? "yes" : "";
      return [name, clips.prompts[i], media, ...about.runs.map((run, k) => format(values[k][i], metric))];
    });
    const headings = ["clip", "prompt", "media", ...about.runs.map((run) => run.label)];
    fillTable("list", about.metrics[metric].label, headings, rows);
    const last = Math.min(first + PAGE_ROWS, shown.length);
    $("range").textContent = shown.length ? `${first + 1} to ${last} of ${shown.length}` : "no clip";
    $("earlier").disabled = first === 0;
    $("later").disabled = last >= shown.length;
  }
  async function turn(by) {
    first = Math.max(0, first + by * PAGE_ROWS);
    const metric = Number($("metric").value);
    drawList(metric, await scoresOf(metric));
  }
  function fillGroups() {
    const axis = clips.axes[$("axis").value];
    const names = axis ? axis.names.map((name) => name || "(none)") : [];
    fillSelect("group", ["all", ...names], ["", ...names.map((name, i) => i)]);
    $("group").disabled = !axis;
  }

  // Distributions, as SVG that CSS colours.
  const SVG = "http://www.w3.org/2000/svg";
  function draw(tag, attributes, text) {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }
  function ticks(low, high) {
    const raw = (high - low) / 6 || 1, power = 10 ** Math.floor(Math.log10(raw));
    const step = power * [1, 2, 5, 10].find((each) => each * power >= raw);
    const found = [];
    for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-9; at += step) found.push(Number(at.toPrecision(6)));
    return found;
  }
  // As wide as there is room for, so that the size of the text is that of the page.
  const widthOf = (id) => Math.min(720, Math.max(240, $(id).parentElement.clientWidth));
  const dashes = (run) => ["none", "8 3", "2 3", "10 3 2 3"][run % 4];
  function quantile(sorted, share) {
    const at = share * (sorted.length - 1), low = Math.floor(at);
    return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
  }
  async function drawDistribution() {
    const metric = Number($("distribution-metric").value), values = await scoresOf(metric);
    const sorted = values.map((run) => shown.map((i) => run[i]).filter(isNumber).sort((a, b) => a - b));
    const all = sorted.filter((run) => run.length);
    const low = Math.min(...all.map((run) => run[0])), high = Math.max(...all.map((run) => run[run.length - 1]));
    const W = widthOf("distribution"), H = 320, LEFT = 60, BOTTOM = 40, span = high - low || 1;
    const x = (share) => LEFT + share * (W - LEFT - 12), y = (value) => 10 + (high - value) / span * (H - BOTTOM - 10);
    const chart = draw("svg", { viewBox: `0 0 ${W} ${H}`, width: W, role: "img", "aria-label": `Sorted scores: ${about.metrics[metric].label}; quantiles are in the table below` });
    if (all.length) {
      for (const at of ticks(low, high)) {
        chart.append(draw("line", { class: "grid", x1: LEFT, x2: W - 12, y1: y(at), y2: y(at) }));
        chart.append(draw("text", { x: LEFT - 6, y: y(at) + 4, "text-anchor": "end" }, at));
      }
      for (const at of [0, 0.25, 0.5, 0.75, 1]) chart.append(draw("text", { x: x(at), y: H - 20, "text-anchor": at === 1 ? "end" : "middle" }, `${at * 100} %`));
      chart.append(draw("text", { x: x(0.5), y: H - 3, "text-anchor": "middle" }, "share of the clips"));
    }
    sorted.forEach((run, k) => {
      if (!run.length) return;
      const n = Math.min(LINE_POINTS, run.length);
      const points = Array.from({ length: n }, (each, i) => { const share = n > 1 ? i / (n - 1) : 0.5; return `${x(share).toFixed(1)},${y(quantile(run, share)).toFixed(1)}`; });
      const line = draw(n > 1 ? "polyline" : "circle", n > 1 ? { points: points.join(" ") } : { cx: x(0.5), cy: y(run[0]), r: 4 });
      line.setAttribute("class", "line");
      line.style.stroke = colour(k);
      // Lines that lie on one another, or that colour alone would tell apart.
      line.setAttribute("stroke-dasharray", dashes(k));
      chart.append(line);
    });
    const legend = element("ul", undefined, { class: "legend" });
    legend.append(...about.runs.map((run, k) => {
      const item = element("li", run.label), mark = draw("svg", { viewBox: "0 0 32 10", width: 32, height: 10, "aria-hidden": "true" });
      const line = draw("line", { class: "line", x1: 0, x2: 32, y1: 5, y2: 5, "stroke-dasharray": dashes(k) });
      line.style.stroke = colour(k);
      mark.append(line);
      item.prepend(mark);
      return item;
    }));
    $("distribution").replaceChildren(chart, legend);
    const rows = about.runs.map((run, k) => [run.label, String(sorted[k].length), ...QUANTILES.map((q) => (sorted[k].length ? format(quantile(sorted[k], q), metric) : "–"))]);
    fillTable("quantiles", about.metrics[metric].label, ["system", "clips", ...QUANTILES.map((q) => `${q * 100} %`)], rows);
  }

  // The scatter, on a canvas: it may have thousands of points, of which each opens its clip.
  let points = [];
  async function drawScatter() {
    const [xRun, yRun, xMetric, yMetric] = ["x-run", "y-run", "x-metric", "y-metric"].map((id) => Number($(id).value));
    const xs = (await scoresOf(xMetric))[xRun], ys = (await scoresOf(yMetric))[yRun];
    const some = shown.filter((i) => isNumber(xs[i]) && isNumber(ys[i]));
    const canvas = $("cloud"), pen = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--ink"), grid = style.getPropertyValue("--line");
    const W = canvas.width = widthOf("cloud"), H = canvas.height, LEFT = 64, BOTTOM = 48;
    const range = (values) => [Math.min(...values), Math.max(...values)];
    const limits = [xs, ys].map((axis) => some.reduce(([low, high], i) => [Math.min(low, axis[i]), Math.max(high, axis[i])], [Infinity, -Infinity]));
    if (xMetric === yMetric && some.length) limits[0] = limits[1] = range([...limits[0], ...limits[1]]);
    const scale = ([low, high], from, to) => (value) => from + (value - low) / (high - low || 1) * (to - from);
    const x = scale(limits[0], LEFT, W - 14), y = scale(limits[1], H - BOTTOM, 14);
    pen.clearRect(0, 0, W, H);
    pen.font = "14px system-ui, sans-serif";
    if (some.length) {
      pen.strokeStyle = grid; pen.fillStyle = ink; pen.lineWidth = 1;
      const line = (...at) => { pen.beginPath(); pen.moveTo(at[0], at[1]); pen.lineTo(at[2], at[3]); pen.stroke(); };
      pen.textAlign = "right";
      for (const at of ticks(...limits[1])) { line(LEFT, y(at), W - 14, y(at)); pen.fillText(at, LEFT - 6, y(at) + 5); }
      pen.textAlign = "center";
      for (const at of ticks(...limits[0])) { line(x(at), 14, x(at), H - BOTTOM); pen.fillText(at, x(at), H - BOTTOM + 18); }
      if (xMetric === yMetric) { pen.strokeStyle = ink; line(x(limits[0][0]), y(limits[0][0]), x(limits[0][1]), y(limits[0][1])); }
      pen.fillText(`${about.runs[xRun].label}: ${about.metrics[xMetric].label}`, (LEFT + W) / 2, H - 8, W - LEFT);
    }
    pen.fillStyle = style.getPropertyValue("--c0");
    pen.globalAlpha = some.length > 2000 ? 0.35 : 0.8;
    points = some.map((i) => [x(xs[i]), y(ys[i]), i]);
    for (const [left, top] of points) { pen.beginPath(); pen.arc(left, top, some.length > 2000 ? 2 : 4, 0, 7); pen.fill(); }
    pen.globalAlpha = 1;
    const text = `Up: ${about.runs[yRun].label}, ${about.metrics[yMetric].label}. Across: ${about.runs[xRun].label}, ${about.metrics[xMetric].label}. ${some.length} clips that the list shows and both have a score of${some.length > 2 ? `, correlation ${correlate(some.map((i) => xs[i]), some.map((i) => ys[i]))}` : ""}.`;
    canvas.setAttribute("aria-label", text);
    $("cloud-about").textContent = `${text} A click opens the nearest clip; the list above has them all.`;
  }
  function correlate(xs, ys) {
    const mean = (some) => some.reduce((sum, value) => sum + value, 0) / some.length;
    const mx = mean(xs), my = mean(ys), sum = (of) => xs.reduce((total, value, i) => total + of(value - mx, ys[i] - my), 0);
    const r = sum((a, b) => a * b) / Math.sqrt(sum((a) => a * a) * sum((a, b) => b * b));
    return Number.isFinite(r) ? r.toFixed(2) : "undefined, since one side is constant";
  }
  function nearest(event) {
    const canvas = $("cloud"), scale = canvas.width / canvas.clientWidth;
    const at = [event.offsetX * scale, event.offsetY * scale];
    const found = points.reduce((best, point) => { const d = Math.hypot(point[0] - at[0], point[1] - at[1]); return d < best[0] ? [d, point[2]] : best; }, [30, null]);
    return found[1];
  }

  async function drawFailures() {
    const failures = await load("data/failures.js", "failures");
    nFailures = Math.min(nFailures + FAILURE_ROWS, failures.length);
    fillTable("failure-list", "Clips without a score", ["clip", "system", "stage", "error"],
      failures.slice(0, nFailures).map(([run, clip, stage, error]) => [clip, run, stage, error]));
    $("more-failures").hidden = nFailures >= failures.length;
  }

  const move = (from, by) => {
    const at = shown.indexOf(from) + by;
    return at >= 0 && at < shown.length ? shown[at] : null;
  };
  const later = (call) => { let timer; return () => { clearTimeout(timer); timer = setTimeout(call, 150); }; };

  async function start() {
    [about, clips] = await Promise.all([load("data/report.js", "report"), load("data/clips.js", "clips")]);
    const metrics = about.metrics.map((metric) => metric.label), runs = about.runs.map((run) => run.label);
    for (const id of ["metric", "distribution-metric", "x-metric", "y-metric"]) fillSelect(id, metrics);
    for (const id of ["x-run", "y-run"]) fillSelect(id, runs);
    fillSelect("system", ["mean of all that compete", ...runs], ["", ...runs.map((run, i) => i)]);
    $("distribution-metric").value = $("x-metric").value = $("y-metric").value = Math.min(1, metrics.length - 1);
    $("y-run").value = Math.min(1, runs.length - 1);
    const axes = Object.keys(clips.axes);
    fillSelect("axis", ["nothing", ...axes], ["", ...axes]);
    fillGroups();
    await update();
    document.documentElement.dataset.ready = performance.now().toFixed(0);
    const redo = () => update().catch(fail);
    $("filters").addEventListener("submit", (event) => event.preventDefault());
    $("filters").addEventListener("change", (event) => { if (event.target.id === "axis") fillGroups(); redo(); });
    $("filters").addEventListener("input", later(redo));
    $("filters").addEventListener("reset", () => setTimeout(() => { fillGroups(); redo(); }));
    $("earlier").addEventListener("click", () => turn(-1));
    $("later").addEventListener("click", () => turn(1));
    $("distribution-metric").addEventListener("change", () => drawDistribution().catch(fail));
    for (const id of ["x-run", "y-run", "x-metric", "y-metric"]) $(id).addEventListener("change", () => drawScatter().catch(fail));
    $("cloud").addEventListener("click", (event) => { const i = nearest(event); if (i !== null) report.open(i); });
    $("cloud").addEventListener("mousemove", (event) => { const i = nearest(event); $("cloud").title = i === null ? "" : clips.names[i]; });
    $("more-failures").addEventListener("click", () => drawFailures().catch(fail));
    window.addEventListener("resize", later(() => { drawDistribution().catch(fail); drawScatter().catch(fail); }));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawScatter().catch(fail));
    if (about.n_failures) drawFailures().catch(fail);
    openFromAddress();
  }
  // The address names the clip that is open, so that it can be sent to someone.
  function openFromAddress() {
    const asked = /^#clip=(.*)$/.exec(location.hash);
    if (!asked) return;
    let name = asked[1];
    try { name = decodeURIComponent(name); } catch { /* it is shown as it is, if it exists */ }
    const i = clips.names.indexOf(name);
    if (i >= 0) report.open(i);
  }
  document.addEventListener("DOMContentLoaded", () => start().catch(fail));
  return { add, load, fail, scoresOf, format, colour, element, fillTable, isNumber, move, $, get about() { return about; }, get clips() { return clips; } };
})();

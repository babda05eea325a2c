// The figures of the report page: sorted distributions, and the scatter of any two scores.
"use strict";

(() => {
  const { $, element, isNumber, scoresOf, format, colour, fail, later } = report;
  const SVG = "http://www.w3.org/2000/svg";
  const QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95];
  const LINE_POINTS = 200;
  const WIDEST = 720,
    NARROWEST = 240;
  const HEIGHT = 320;
  const LEFT = 82,
    RIGHT = 14,
    TOP = 14,
    BOTTOM = 48;
  // From so many points on they are small and let others through.
  const MANY = 2000;
  // A click opens the nearest clip within so many pixels.
  const REACH = 30;

  // As wide as there is room for, so that the size of the text is that of the page.
  const widthOf = (id) => Math.min(WIDEST, Math.max(NARROWEST, $(id).parentElement.clientWidth));
  const dashes = (run) => ["none", "8 3", "2 3", "10 3 2 3"][run % 4];
  const scale =
    ([low, high], from, to) =>
    (value) =>
      from + ((value - low) / (high - low || 1)) * (to - from);

  function ticks([low, high]) {
    const raw = (high - low) / 6 || 1;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = power * [1, 2, 5, 10].find((each) => each * power >= raw);
    const found = [];
    for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-9; at += step) {
      found.push(Number(at.toPrecision(6)));
    }
    return found;
  }
  function quantile(sorted, share) {
    const at = share * (sorted.length - 1);
    const low = Math.floor(at);
    return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
  }
  function findLimits(values) {
    return values.reduce(
      ([low, high], each) => [Math.min(low, each), Math.max(high, each)],
      [Infinity, -Infinity],
    );
  }

  // Distributions, as SVG that CSS colours.
  function draw(tag, attributes, text) {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }
  async function drawDistribution() {
    const { about, shown } = report;
    const metric = Number($("distribution-metric").value);
    const values = await scoresOf(metric);
    const sorted = values.map((run) =>
      shown
        .map((i) => run[i])
        .filter(isNumber)
        .sort((a, b) => a - b),
    );
    const width = widthOf("distribution");
    const label = `Sorted scores: ${about.metrics[metric].label}; quantiles are in the table below`;
    const chart = draw("svg", {
      viewBox: `0 0 ${width} ${HEIGHT}`,
      width,
      role: "img",
      "aria-label": label,
    });
    const limits = findLimits(
      sorted.filter((run) => run.length).flatMap((run) => [run[0], run[run.length - 1]]),
    );
    const x = scale([0, 1], LEFT, width - RIGHT);
    const y = scale(limits, HEIGHT - BOTTOM, TOP);
    if (limits[0] <= limits[1]) drawAxes(chart, limits, x, y, width);
    const middle = (HEIGHT - BOTTOM + TOP) / 2;
    const turned = { x: 16, y: middle, "text-anchor": "middle", transform: `rotate(-90 16 ${middle})` };
    chart.append(draw("text", turned, about.metrics[metric].label));
    sorted.forEach((run, k) => run.length && chart.append(drawLine(run, k, x, y)));
    $("distribution").replaceChildren(chart, drawLegend());
    drawQuantiles(sorted, metric);
  }
  function drawAxes(chart, limits, x, y, width) {
    for (const at of ticks(limits)) {
      chart.append(
        draw("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(at), y2: y(at) }),
      );
      chart.append(draw("text", { x: LEFT - 6, y: y(at) + 4, "text-anchor": "end" }, at));
    }
    for (const at of width < 480 ? [0, 0.5, 1] : [0, 0.25, 0.5, 0.75, 1]) {
      const anchor = at === 1 ? "end" : "middle";
      chart.append(
        draw("text", { x: x(at), y: HEIGHT - 26, "text-anchor": anchor }, `${at * 100} %`),
      );
    }
    chart.append(
      draw("text", { x: x(0.5), y: HEIGHT - 6, "text-anchor": "middle" }, "share of the clips"),
    );
  }
  function drawLine(sorted, run, x, y) {
    // A single clip is a line of one level.
    const n = Math.max(2, Math.min(LINE_POINTS, sorted.length));
    const points = Array.from({ length: n }, (each, i) => {
      const share = i / (n - 1);
      return `${x(share).toFixed(1)},${y(quantile(sorted, share)).toFixed(1)}`;
    });
    return styleLine(draw("polyline", { points: points.join(" ") }), run);
  }
  function styleLine(line, run) {
    // Dashes too: lines may lie on one another, and not everyone can tell colours apart.
    line.setAttribute("class", "line");
    line.setAttribute("stroke-dasharray", dashes(run));
    line.style.stroke = colour(run);
    return line;
  }
  function drawLegend() {
    const legend = element("ul", undefined, { class: "legend" });
    report.about.runs.forEach((run, k) => {
      const mark = draw("svg", {
        viewBox: "0 0 32 10",
        width: 32,
        height: 10,
        "aria-hidden": "true",
      });
      mark.append(styleLine(draw("line", { x1: 0, x2: 32, y1: 5, y2: 5 }), k));
      const item = element("li", run.label);
      item.prepend(mark);
      legend.append(item);
    });
    return legend;
  }
  function drawQuantiles(sorted, metric) {
    const { about } = report;
    const rows = about.runs.map((run, k) => {
      const some = QUANTILES.map((share) =>
        sorted[k].length ? format(quantile(sorted[k], share), metric) : "–",
      );
      return [run.label, String(sorted[k].length), ...some];
    });
    const headings = ["system", "clips", ...QUANTILES.map((share) => `${share * 100} %`)];
    report.fillTable("quantiles", about.metrics[metric].label, headings, rows);
  }

  // The scatter, on a canvas: it may have thousands of points, of which each opens its clip.
  let points = [];
  async function drawScatter() {
    const [xRun, yRun, xMetric, yMetric] = ["x-run", "y-run", "x-metric", "y-metric"].map((id) =>
      Number($(id).value),
    );
    const xs = (await scoresOf(xMetric))[xRun];
    const ys = (await scoresOf(yMetric))[yRun];
    const { about, shown } = report;
    const some = shown.filter((i) => isNumber(xs[i]) && isNumber(ys[i]));
    const across = {
      values: some.map((i) => xs[i]),
      label: `${about.runs[xRun].label}, ${about.metrics[xMetric].label}`,
    };
    const up = {
      values: some.map((i) => ys[i]),
      label: `${about.runs[yRun].label}, ${about.metrics[yMetric].label}`,
    };
    drawCloud(some, across, up, xMetric === yMetric);
    const correlation =
      some.length > 2 ? `, correlation ${correlate(across.values, up.values)}` : "";
    const text = `Up: ${up.label}. Across: ${across.label}. ${some.length} clips that the list shows and both have a score of${correlation}.`;
    $("cloud").setAttribute("aria-label", text);
    $("cloud-about").textContent =
      `${text} A click opens the nearest clip; the list above has them all.`;
  }
  function drawCloud(some, across, up, isOneMetric) {
    const canvas = $("cloud");
    canvas.width = widthOf("cloud"); // this clears it too
    const pen = canvas.getContext("2d");
    const style = getComputedStyle(document.documentElement);
    let limits = [findLimits(across.values), findLimits(up.values)];
    if (isOneMetric) limits = [findLimits(limits.flat()), findLimits(limits.flat())];
    const x = scale(limits[0], LEFT, canvas.width - RIGHT);
    const y = scale(limits[1], canvas.height - BOTTOM, TOP);
    points = some.map((clip, i) => [x(across.values[i]), y(up.values[i]), clip]);
    if (!some.length) return;
    const colours = ["--ink", "--line", "--c0"].map((name) => style.getPropertyValue(name));
    drawCloudAxes(pen, limits, x, y, [across.label, up.label], colours);
    if (isOneMetric) {
      pen.strokeStyle = colours[0];
      strokeLine(pen, ...limits[0].flatMap((each) => [x(each), y(each)]));
    }
    pen.fillStyle = colours[2];
    pen.globalAlpha = some.length > MANY ? 0.35 : 0.8;
    for (const [left, top] of points) {
      pen.beginPath();
      pen.arc(left, top, some.length > MANY ? 2 : 4, 0, 2 * Math.PI);
      pen.fill();
    }
  }
  function strokeLine(pen, x1, y1, x2, y2) {
    pen.beginPath();
    pen.moveTo(x1, y1);
    pen.lineTo(x2, y2);
    pen.stroke();
  }
  function drawCloudAxes(pen, limits, x, y, [across, up], [ink, grid]) {
    const { width, height } = pen.canvas;
    pen.font = "14px system-ui, sans-serif";
    pen.strokeStyle = grid;
    pen.fillStyle = ink;
    pen.textAlign = "right";
    for (const at of ticks(limits[1])) {
      strokeLine(pen, LEFT, y(at), width - RIGHT, y(at));
      pen.fillText(at, LEFT - 6, y(at) + 5);
    }
    pen.textAlign = "center";
    for (const at of ticks(limits[0])) {
      strokeLine(pen, x(at), TOP, x(at), height - BOTTOM);
      pen.fillText(at, x(at), height - BOTTOM + 18);
    }
    pen.fillText(across, (LEFT + width - RIGHT) / 2, height - 8, width - LEFT);
    pen.save();
    pen.rotate(-Math.PI / 2);
    const [bottom, top] = [height - BOTTOM, TOP];
    pen.fillText(up, -(bottom + top) / 2, 16, bottom - top);
    pen.restore();
  }
  function correlate(xs, ys) {
    const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const [mx, my] = [mean(xs), mean(ys)];
    const sum = (of) => xs.reduce((total, value, i) => total + of(value - mx, ys[i] - my), 0);
    const r = sum((a, b) => a * b) / Math.sqrt(sum((a) => a * a) * sum((a, b) => b * b));
    return Number.isFinite(r) ? r.toFixed(2) : "undefined, since one side is constant";
  }
  function findNearest(event) {
    const zoom = $("cloud").width / $("cloud").clientWidth;
    let [nearest, found] = [REACH, null];
    for (const [left, top, clip] of points) {
      const distance = Math.hypot(left - event.offsetX * zoom, top - event.offsetY * zoom);
      if (distance < nearest) [nearest, found] = [distance, clip];
    }
    return found;
  }

  report.drawCharts = () => {
    drawDistribution().catch(fail);
    drawScatter().catch(fail);
  };
  report.startCharts = (metrics, runs) => {
    for (const id of ["distribution-metric", "x-metric", "y-metric"]) {
      report.fillSelect(id, metrics);
      $(id).value = Math.min(1, metrics.length - 1);
    }
    for (const id of ["x-run", "y-run"]) report.fillSelect(id, runs);
    $("y-run").value = Math.min(1, runs.length - 1);
    $("distribution-metric").addEventListener("change", () => drawDistribution().catch(fail));
    for (const id of ["x-run", "y-run", "x-metric", "y-metric"])
      $(id).addEventListener("change", () => drawScatter().catch(fail));
    $("cloud").addEventListener("click", (event) => {
      const clip = findNearest(event);
      if (clip !== null) report.open(clip);
    });
    $("cloud").addEventListener("mousemove", (event) => {
      const clip = findNearest(event);
      $("cloud").title = clip === null ? "" : report.clips.names[clip];
    });
    window.addEventListener("resize", later(report.drawCharts));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", report.drawCharts);
  };
})();

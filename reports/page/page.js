// The report page: data on demand, the list of clips with its filters, failures. Figures are in
// charts.js, the clip that is open in player.js. Data are never HTML: only text is set.
"use strict";

const report = (() => {
  const PAGE_ROWS = 50,
    FAILURE_ROWS = 100,
    N_COLOURS = 8;
  const waiting = new Map(),
    loaded = new Map();
  const $ = (id) => document.getElementById(id);
  let about,
    clips,
    shown = [],
    first = 0,
    nFailures = 0;

  // A file page may read no files, but may add scripts, each of which calls add once.
  function load(file, name) {
    if (!loaded.has(name)) {
      loaded.set(
        name,
        new Promise((resolve, reject) => {
          waiting.set(name, resolve);
          const script = document.createElement("script");
          script.src = file.split("/").map(encodeURIComponent).join("/");
          script.onload = () => script.remove();
          script.onerror = () => {
            loaded.delete(name);
            reject(new Error(`${file} cannot be read: is the folder of this page complete?`));
          };
          document.head.append(script);
        }),
      );
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
  const format = (value, metric) =>
    isNumber(value) ? value.toFixed(about.metrics[metric].decimals) : "–";
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
      row.append(
        ...cells.map((cell, i) => {
          const made = element(i ? "td" : "th", undefined, i ? {} : { scope: "row" });
          made.append(cell);
          return made;
        }),
      );
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
    const metric = Number($("metric").value),
      system = $("system").value,
      order = $("order").value;
    const score = about.metrics[metric].label.replace(/ (\(.*\)|[↑↓])$/, "");
    $("least-label").textContent = `${score} from`;
    $("most-label").textContent = `${score} to`;
    const values = await scoresOf(metric),
      measured = measure(values, system);
    const words = $("search").value.trim().toLowerCase();
    const axis = $("axis").value && clips.axes[$("axis").value],
      group = $("group").value;
    const least = $("least").value === "" ? -Infinity : Number($("least").value);
    const most = $("most").value === "" ? Infinity : Number($("most").value);
    const isBounded = least !== -Infinity || most !== Infinity;
    shown = clips.names
      .map((name, i) => i)
      .filter((i) => {
        const value = measured[i].value;
        return (
          (!words ||
            clips.names[i].toLowerCase().includes(words) ||
            clips.prompts[i].toLowerCase().includes(words)) &&
          (!axis || group === "" || axis.of[i] === Number(group)) &&
          (!isBounded || (isNumber(value) && value >= least && value <= most)) &&
          (!$("only-media").checked || i in clips.media)
        );
      });
    if (order !== "name") {
      const sign =
        order === "different" || (order === "worst") === (about.metrics[metric].better === "lower")
          ? -1
          : 1;
      const key = (i) => (order === "different" ? measured[i].spread : measured[i].value);
      const last = (i) => (isNumber(key(i)) ? sign * key(i) : Infinity);
      shown.sort((a, b) => (last(a) < last(b) ? -1 : last(a) > last(b) ? 1 : a - b));
    }
    first = 0;
    $("count").textContent =
      `${shown.length.toLocaleString("en")} of ${clips.names.length.toLocaleString("en")} clips`;
    drawList(metric, values);
    page.drawCharts();
  }
  function drawList(metric, values) {
    const rows = shown.slice(first, first + PAGE_ROWS).map((i) => {
      const name = element("button", clips.names[i], { type: "button", class: "link" });
      name.addEventListener("click", () => page.open(i));
      const media = i in clips.media ? "yes" : "";
      return [
        name,
        clips.prompts[i],
        media,
        ...about.runs.map((run, k) => format(values[k][i], metric)),
      ];
    });
    const headings = ["clip", "prompt", "media", ...about.runs.map((run) => run.label)];
    fillTable("list", about.metrics[metric].label, headings, rows);
    const last = Math.min(first + PAGE_ROWS, shown.length);
    $("range").textContent = shown.length
      ? `${first + 1} to ${last} of ${shown.length}`
      : "no clip";
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

  async function drawFailures() {
    const failures = await load("data/failures.js", "failures");
    nFailures = Math.min(nFailures + FAILURE_ROWS, failures.length);
    fillTable(
      "failure-list",
      "Clips without a score",
      ["clip", "system", "stage", "error"],
      failures.slice(0, nFailures).map(([run, clip, stage, error]) => [clip, run, stage, error]),
    );
    $("more-failures").hidden = nFailures >= failures.length;
  }

  const move = (from, by) => {
    const at = shown.indexOf(from) + by;
    return at >= 0 && at < shown.length ? shown[at] : null;
  };
  const later = (call) => {
    let timer;
    return () => {
      clearTimeout(timer);
      timer = setTimeout(call, 150);
    };
  };

  async function start() {
    [about, clips] = await Promise.all([
      load("data/report.js", "report"),
      load("data/clips.js", "clips"),
    ]);
    const metrics = about.metrics.map((metric) => metric.label),
      runs = about.runs.map((run) => run.label);
    fillSelect("metric", metrics);
    fillSelect("system", ["mean of all that compete", ...runs], ["", ...runs.map((run, i) => i)]);
    page.startCharts(metrics, runs);
    const axes = Object.keys(clips.axes);
    fillSelect("axis", ["nothing", ...axes], ["", ...axes]);
    fillGroups();
    await update();
    document.documentElement.dataset.ready = performance.now().toFixed(0);
    const redo = () => update().catch(fail);
    $("filters").addEventListener("submit", (event) => event.preventDefault());
    $("filters").addEventListener("change", (event) => {
      if (event.target.id === "axis") fillGroups();
      redo();
    });
    $("filters").addEventListener("input", later(redo));
    $("filters").addEventListener("reset", () =>
      setTimeout(() => {
        fillGroups();
        redo();
      }),
    );
    $("earlier").addEventListener("click", () => turn(-1));
    $("later").addEventListener("click", () => turn(1));
    $("more-failures").addEventListener("click", () => drawFailures().catch(fail));
    if (about.n_failures) drawFailures().catch(fail);
    window.addEventListener("hashchange", openFromAddress);
    openFromAddress();
  }
  // The address names the clip that is open, so that it can be sent to someone.
  function openFromAddress() {
    const asked = /^#clip=(.*)$/.exec(location.hash);
    if (!asked) return;
    let name = asked[1];
    try {
      name = decodeURIComponent(name);
    } catch {
      /* it is shown as it is, if it exists */
    }
    const i = clips.names.indexOf(name);
    if (i >= 0) page.open(i);
    else fail(new Error(`${name}: no clip of this name is on this page`));
  }
  document.addEventListener("DOMContentLoaded", () => start().catch(fail));
  const page = {
    add,
    load,
    fail,
    scoresOf,
    format,
    colour,
    element,
    fillSelect,
    fillTable,
    isNumber,
    move,
    later,
    $,
    get about() {
      return about;
    },
    get clips() {
      return clips;
    },
    get shown() {
      return shown;
    },
  };
  return page;
})();

// The clip that is open: one picture, the audio of every system, one clock that all share.
"use strict";

(() => {
  const { $, element, isNumber } = report;
  const PEAK_HEIGHT = 80,
    DRIFT_S = 0.08,
    STEP_S = 1,
    FINE_STEP_S = 0.1,
    MOST_SECONDS = 10;
  const SVG = "http://www.w3.org/2000/svg";
  const video = $("video"),
    reference = $("reference");
  let clip = null,
    detail = null,
    tracks = [],
    active = null,
    isPlaying = false,
    frame = 0,
    opened = 0;

  // The audio that is heard is the clock, and the picture follows it; without audio the picture is.
  const clock = () => (active && active.audio ? active.audio.currentTime : video.currentTime);
  const hasVideo = () => Boolean(detail && detail.video && detail.video.file);

  function choose(track) {
    const at = clock(),
      wasPlaying = isPlaying;
    if (active && active.audio) active.audio.pause();
    active = track;
    track.input.checked = true;
    // The picture goes on where it is: a seek would make it stumble at every switch.
    if (track.audio) track.audio.currentTime = at;
    if (wasPlaying) play();
    drawFigures();
  }
  function seek(to) {
    const at = Math.min(Math.max(0, to), detail ? detail.seconds : 0);
    if (active && active.audio) active.audio.currentTime = at;
    if (hasVideo()) video.currentTime = at;
    showTime(at);
  }
  function play() {
    if (!active) return;
    reference.pause();
    if (clock() >= detail.seconds - 0.05) seek(0);
    isPlaying = true;
    $("play").textContent = "Pause";
    const started = [];
    if (active.audio) started.push(active.audio.play());
    if (hasVideo()) started.push(video.play());
    // Switching pauses what has only begun to start, which is no error.
    for (const each of started)
      each.catch((error) => {
        if (error.name !== "AbortError") {
          pause();
          report.fail(new Error(`${clip.name}: the browser cannot play it (${error.message})`));
        }
      });
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(follow);
  }
  function pause() {
    isPlaying = false;
    $("play").textContent = "Play";
    if (active && active.audio) active.audio.pause();
    if (hasVideo()) video.pause();
    cancelAnimationFrame(frame);
  }
  function follow() {
    const at = clock();
    if (hasVideo() && active.audio && !video.seeking && Math.abs(video.currentTime - at) > DRIFT_S)
      video.currentTime = at;
    showTime(at);
    if (active.audio ? active.audio.ended : video.ended) {
      pause();
      return;
    }
    frame = requestAnimationFrame(follow);
  }
  function showTime(at) {
    $("position").value = at;
    $("time").textContent = `${at.toFixed(2)} s`;
    const share = `${(100 * at) / (detail ? detail.seconds : 1)}%`;
    for (const head of document.querySelectorAll(".playhead")) head.style.left = share;
  }

  function setAddress(text) {
    try {
      history.replaceState(null, "", text);
    } catch {
      /* some browsers refuse it for files */
    }
  }
  function makeTrack(name, label, run, found, digit) {
    const audio = found && found.audio ? new Audio() : null;
    if (audio) {
      audio.preload = "auto";
      audio.src = found.audio;
    }
    const text = element("label", undefined, { class: "track" });
    const input = element("input", undefined, { type: "radio", name: "track", value: name });
    const mark = element("span", undefined, { class: "mark" });
    mark.style.background = run === null ? "var(--ink)" : report.colour(run);
    const why = found ? found.error : "there is none";
    text.append(
      input,
      mark,
      digit < 10 ? `${digit} ` : "",
      label + (audio ? "" : `: no audio (${why})`),
    );
    input.disabled = !audio;
    $("tracks").append(text);
    const track = { name, label, run, found, audio, input };
    input.addEventListener("change", () => choose(track));
    return track;
  }

  function svg(tag, attributes) {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }
  function trueTimes() {
    if (detail.events.length) return detail.events;
    const own = detail.tracks.true;
    return own && own.onsets ? own.onsets : [];
  }
  function drawWave(track) {
    const [low, high] = track.found.peaks,
      n = low.length,
      middle = PEAK_HEIGHT / 2;
    const y = (value) => (middle - (value / 100) * middle).toFixed(1);
    const picture = svg("svg", {
      viewBox: `0 0 ${n} ${PEAK_HEIGHT}`,
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    });
    const path =
      high.map((value, i) => `${i ? "L" : "M"}${i},${y(value)}`).join("") +
      low.map((value, i) => `L${n - 1 - i},${y(low[n - 1 - i])}`).join("") +
      "Z";
    const wave = svg("path", { d: path, class: "wave" });
    wave.style.fill = wave.style.stroke =
      track.run === null ? "var(--soft)" : report.colour(track.run);
    picture.append(wave);
    const at = (time) => ((time / detail.seconds) * n).toFixed(1);
    for (const time of trueTimes())
      picture.append(
        svg("line", { class: "true", x1: at(time), x2: at(time), y1: 0, y2: PEAK_HEIGHT / 2 }),
      );
    for (const time of track.found.onsets)
      picture.append(
        svg("line", {
          class: "found",
          x1: at(time),
          x2: at(time),
          y1: PEAK_HEIGHT / 2,
          y2: PEAK_HEIGHT,
        }),
      );
    return picture;
  }
  function drawSeconds() {
    const axis = element("div", undefined, { class: "seconds", "aria-hidden": "true" });
    const end = detail.seconds;
    const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60];
    const step = steps.find((each) => end / each <= MOST_SECONDS) ?? end;
    for (let i = 0; i * step <= end; i++) {
      const at = (100 * i * step) / end;
      // At both ends beside its line, so that nothing is wider than the figure.
      const side = at < 3 ? "first" : at > 97 ? "last" : "between";
      const label = element("span", `${Number((i * step).toFixed(1))} s`, { class: side });
      label.style.left = `${at}%`;
      axis.append(label);
    }
    return axis;
  }
  function drawFigure(track) {
    const figure = element("figure"),
      box = element("div", undefined, { class: "wavebox" });
    const n = track.found.onsets.length;
    const text = `${track.label}: ${n} onsets found, ${trueTimes().length} true`;
    const image = element("img", undefined, {
      src: track.found.spectrogram,
      alt: `Spectrogram: ${track.label}`,
    });
    box.append(drawWave(track), image, element("div", undefined, { class: "playhead" }));
    box.addEventListener("click", (event) => {
      const area = box.getBoundingClientRect();
      seek(((event.clientX - area.left) / area.width) * detail.seconds);
    });
    figure.append(element("figcaption", text), box, drawSeconds());
    return figure;
  }
  function drawFigures() {
    const own = tracks.find((track) => track.name === "true");
    const some = [active, own].filter(
      (track, i, all) => track && track.audio && all.indexOf(track) === i,
    );
    $("figures").replaceChildren(...some.map(drawFigure));
    showTime(clock());
  }

  async function drawScores(i) {
    const { about } = report;
    const values = await Promise.all(about.metrics.map((metric, k) => report.scoresOf(k)));
    if (clip === null || clip.i !== i) return;
    const rows = about.metrics.map((metric, k) => {
      const some = values[k].map((run) => run[i]);
      const scored = some.filter(isNumber),
        best = metric.better === "higher" ? Math.max(...scored) : Math.min(...scored);
      return [
        metric.label,
        ...some.map((value) => {
          const cell = element(
            scored.length > 1 && value === best && scored.some((each) => each !== best)
              ? "b"
              : "span",
            report.format(value, k),
          );
          return cell;
        }),
      ];
    });
    report.fillTable(
      "clip-scores",
      "Scores of this clip",
      ["metric", ...about.runs.map((run) => run.label)],
      rows,
    );
  }

  function close() {
    pause();
    for (const track of tracks)
      if (track.audio) {
        track.audio.removeAttribute("src");
        track.audio.load();
      }
    tracks = [];
    active = detail = null;
    video.removeAttribute("src");
    reference.removeAttribute("src");
    $("tracks").replaceChildren(element("legend", "Listen to"));
    $("figures").replaceChildren();
  }
  async function open(i) {
    const { clips } = report;
    const call = ++opened;
    const kept = clip && clip.track;
    close();
    clip = { i, name: clips.names[i], track: kept };
    $("problem").hidden = true;
    describe(i);
    setAddress(`#clip=${encodeURIComponent(clip.name)}`);
    $("clip-name").focus();
    $("player").scrollIntoView();
    drawScores(i).catch(report.fail);
    if (!(i in clips.media)) return;
    const found = await report.load(clips.media[i], `clip ${clip.name}`);
    if (call === opened) offer(found, kept);
  }
  function describe(i) {
    const { clips } = report;
    const hasMedia = i in clips.media;
    const none =
      "it has no video and audio here: bench report --media all writes those of all clips";
    const groups = Object.entries(clips.axes).map(
      ([axis, { names, of }]) => names[of[i]] && `${axis}: ${names[of[i]]}`,
    );
    const prompt = clips.prompts[i] && `“${clips.prompts[i]}”`;
    const parts = [prompt, ...groups, !hasMedia && (clips.media_failures[i] ?? none)];
    $("player").hidden = false;
    $("clip-name").textContent = clip.name;
    $("clip-about").textContent = parts.filter(Boolean).join("; ");
    $("stage").hidden = $("key").hidden = !hasMedia;
    $("previous-clip").disabled = report.move(i, -1) === null;
    $("next-clip").disabled = report.move(i, 1) === null;
  }
  // What can be watched and heard; the system that was heard last stays chosen from clip to clip.
  function offer(found, kept) {
    detail = found;
    $("position").max = detail.seconds;
    $("picture").hidden = !detail.video;
    if (hasVideo()) video.src = detail.video.file;
    else if (detail.video) {
      $("clip-about").append(`; the video cannot be read: ${detail.video.error}`);
    }
    const isAnnotated = detail.events.length > 0;
    $("true-key").textContent = isAnnotated
      ? "true events, as annotated"
      : "onsets found in the true audio";
    const own = makeTrack("true", "True audio", null, detail.tracks.true, 0);
    const runs = report.about.runs.map((run, k) =>
      makeTrack(`run${k}`, run.label, k, detail.tracks[`run${k}`], k + 1),
    );
    tracks = [own, ...runs];
    const given = detail.tracks.reference;
    $("reference-box").hidden = !(given && given.audio);
    if (given && given.audio) reference.src = given.audio;
    const heard = tracks.filter((track) => track.audio);
    const ofRun = heard.find((track) => track.run !== null);
    const next = heard.find((track) => track.name === kept) || ofRun || heard[0];
    if (next) choose(next);
  }
  function step(by) {
    const next = clip && report.move(clip.i, by);
    if (next !== null) open(next).catch(report.fail);
  }

  $("play").addEventListener("click", () => (isPlaying ? pause() : play()));
  $("position").addEventListener("input", () => seek(Number($("position").value)));
  // A browser moves a slider by its smallest step, here 0.01 s, and by pages of its own.
  $("position").addEventListener("keydown", (event) => {
    const by = {
      ArrowLeft: -FINE_STEP_S,
      ArrowDown: -FINE_STEP_S,
      ArrowRight: FINE_STEP_S,
      ArrowUp: FINE_STEP_S,
      PageDown: -STEP_S,
      PageUp: STEP_S,
    }[event.key];
    if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    seek(clock() + by);
    event.preventDefault();
  });
  $("previous-clip").addEventListener("click", () => step(-1));
  $("next-clip").addEventListener("click", () => step(1));
  $("close-clip").addEventListener("click", () => {
    close();
    clip = null;
    $("player").hidden = true;
    setAddress("#clips");
    $("search").focus();
  });
  $("tracks").addEventListener("change", () => {
    if (clip && active) clip.track = active.name;
  });
  reference.addEventListener("play", pause);
  $("player").addEventListener("keydown", (event) => {
    if (
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      event.target === reference ||
      event.target === video
    )
      return;
    const isControl = ["BUTTON", "INPUT"].includes(event.target.tagName),
      isRadio = event.target.type === "radio";
    const key = event.key.toLowerCase();
    if (key === " " && (!isControl || isRadio || event.target.type === "range"))
      isPlaying ? pause() : play();
    else if (/^\d$/.test(key) && tracks[Number(key)] && tracks[Number(key)].audio) {
      choose(tracks[Number(key)]);
      clip.track = active.name;
    } else if (key === "arrowleft" && !isControl) seek(clock() - STEP_S);
    else if (key === "arrowright" && !isControl) seek(clock() + STEP_S);
    else if (key === "n") step(1);
    else if (key === "p") step(-1);
    else return;
    event.preventDefault();
  });
  report.open = (i) => open(i).catch(report.fail);
})();

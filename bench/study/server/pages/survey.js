// The page of a study. The server decides what is shown: this script asks it for the present trial,
// plays it, and sends what was played and answered. Text becomes text nodes only, never markup.
"use strict";

const SIDES = ["true", "a", "b"];
const NAMES = { true: "Real video", a: "Video A", b: "Video B" };
const LONGEST_WAIT_MS = 15000;
const LONGEST_TRIAL_S = 24 * 3600;

const find = (id) => document.getElementById(id);
const video = (side) => find(`video-${side}`);
const makeKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(24)), (n) => n.toString(16).padStart(2, "0")).join("");
const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// Chosen once: asking again, after a lost reply, is given the same session.
const sessionKey = makeKey();

let study = null;
let trial = null; // what the server sent, with reached seconds, start and key of the vote
let active = null; // the side that plays or is paused
let tones = 0;

// ---- requests ----

// Send until there is an answer: a lost connection or a busy server costs time, never an answer.
async function send(method, path, body) {
  for (let pause = 1000; ; pause = Math.min(2 * pause, LONGEST_WAIT_MS)) {
    try {
      const answer = await fetch(path, {
        method,
        headers: body ? { "Content-Type": "application/json" } : {},
        body: body ? JSON.stringify(body) : undefined,
      });
      if (answer.status < 500 && answer.status !== 429) {
        const isJson = (answer.headers.get("Content-Type") || "").includes("json");
        return { status: answer.status, values: isJson ? await answer.json() : {} };
      }
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    report("No connection. Your answers are safe; trying again.");
    await wait(pause);
    report("");
  }
}

function report(text) {
  find("status").textContent = text;
}

// ---- screens ----

function show(name) {
  for (const section of document.querySelectorAll("main > section")) {
    section.hidden = section.id !== name;
  }
  find(`${name}-title`).focus();
  window.scrollTo(0, 0);
}

function fail(text) {
  find("problem-text").textContent = text;
  show("problem");
}

async function begin() {
  study = (await send("GET", "api/study")).values;
  find("simulated").hidden = !study.is_simulated;
  const token = location.hash.slice(1);
  if (token) {
    history.replaceState(null, "", location.pathname);
    const { status } = await send("POST", "api/resume", { token });
    if (status !== 200) {
      fail("This link belongs to no session of this study.");
      return;
    }
  }
  await proceed(true);
}

// Show what comes next; a session without an answer begins with the check of the audio.
async function proceed(isFirst = false) {
  const { status, values } = await send("GET", "api/session");
  if (status === 401) askConsent();
  else if (status !== 200) fail("The study does not answer as expected.");
  else if (values.completion_code) finish(values.completion_code);
  else if (isFirst && values.n_answered === 0) checkAudio(values);
  else showTrial(values);
}

function askConsent() {
  const n = study.questions.length;
  find("n-trials").textContent = study.n_trials;
  find("n-questions").textContent = ["one question", "two questions"][n - 1] || `${n} questions`;
  find("retention").textContent = study.retention;
  find("contact").textContent = `Questions and requests: ${study.contact}`;
  find("contact").hidden = !study.contact;
  find("panel").hidden = find("panel-note").hidden = !study.asks_panel_id;
  find("panel-id").required = study.asks_panel_id;
  const query = new URLSearchParams(location.search);
  find("panel-id").value = query.get("PROLIFIC_PID") || query.get("workerId") || "";
  show("consent");
}

async function agree(event) {
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  const panelId = study.asks_panel_id ? find("panel-id").value.trim() : "";
  const { status, values } = await send("POST", "api/sessions", {
    agrees: find("agree").checked,
    panel_id: panelId,
    key: sessionKey,
  });
  button.disabled = false;
  if (status === 201 || status === 200) await proceed(true);
  else report(values.error || "The study does not take part now.");
}

// ---- check of the audio ----

function checkAudio() {
  find("counts").replaceChildren(...[1, 2, 3, 4, 5].map((n) => makeChoice("count", `${n}`, `${n}`)));
  show("audio");
}

function playTones() {
  tones = 2 + Math.floor(Math.random() * 3);
  const context = new AudioContext();
  for (let i = 0; i < tones; i++) {
    const start = context.currentTime + 0.2 + i * 0.6;
    const gain = new GainNode(context, { gain: 0 });
    gain.connect(context.destination);
    gain.gain.setValueAtTime(0, start);
    gain.gain.linearRampToValueAtTime(0.1, start + 0.03);
    gain.gain.setValueAtTime(0.1, start + 0.27);
    gain.gain.linearRampToValueAtTime(0, start + 0.3);
    const tone = new OscillatorNode(context, { frequency: 440 });
    tone.connect(gain);
    tone.start(start);
    tone.stop(start + 0.3);
  }
  setTimeout(() => context.close(), tones * 600 + 1000);
}

function checkTones(event) {
  event.preventDefault();
  const chosen = Number(new FormData(event.target).get("count"));
  if (tones && chosen === tones) {
    report("");
    find("min-play").textContent = `${study.min_play_s} seconds`;
    show("instructions");
  } else {
    report(tones ? "That is another number. Play the tones again." : "Play the tones first.");
    tones = 0;
  }
}

// ---- a trial ----

function showTrial(session) {
  trial = session.trial;
  trial.reached = { true: 0, a: 0, b: 0 };
  trial.startedMs = performance.now();
  trial.key = makeKey();
  active = null;
  const total = session.n_trials - 1;
  find("trial-title").textContent = trial.is_practice
    ? "Practice pair"
    : `Pair ${session.n_answered} of ${total}`;
  find("progress").max = session.n_trials;
  find("progress").value = session.n_answered;
  find("link").value = `${location.origin}${location.pathname}#${session.token}`;
  for (const side of SIDES) {
    video(side).hidden = side !== "true";
    video(side).src = `media/${trial.media[side]}.mp4`;
    find(`play-${side}`).setAttribute("aria-pressed", "false");
    markPlayed(side);
  }
  find("questions").replaceChildren(...study.questions.map(makeQuestion));
  find("pause").disabled = find("replay").disabled = true;
  find("position").value = 0;
  allowAnswers();
  show("trial");
}

function makeQuestion(question) {
  const fieldset = document.createElement("fieldset");
  const legend = document.createElement("legend");
  legend.textContent = question.text;
  const choices = [["a", "Video A"], ["b", "Video B"]];
  if (question.tie) choices.push(["tie", question.tie]);
  fieldset.append(legend, ...choices.map(([value, text]) => makeChoice(question.name, value, text)));
  return fieldset;
}

function makeChoice(name, value, text) {
  const row = document.createElement("div");
  const input = document.createElement("input");
  const label = document.createElement("label");
  row.className = "choice";
  Object.assign(input, { type: "radio", name, value, required: true, id: `choice-${name}-${value}` });
  label.htmlFor = input.id;
  label.textContent = text;
  row.append(input, label);
  return row;
}

function isPlayed(side) {
  return trial.reached[side] >= trial.required_s;
}

function markPlayed(side) {
  const button = find(`play-${side}`);
  button.classList.toggle("played", isPlayed(side));
  button.querySelector(".state").textContent = isPlayed(side) ? "played" : "not played";
}

function allowAnswers() {
  const isReady = SIDES.every(isPlayed);
  for (const fieldset of find("questions").children) fieldset.disabled = !isReady;
  find("next").disabled = !isReady;
  find("hint").textContent = isReady
    ? "You can answer now, or play the videos again."
    : `Play all three videos for ${trial.required_s.toFixed(0)} seconds or more, then answer.`;
}

async function play(side) {
  if (active && active !== side) stop();
  active = side;
  for (const each of SIDES) {
    video(each).hidden = each !== side;
    find(`play-${each}`).setAttribute("aria-pressed", `${each === side}`);
  }
  video(side).currentTime = 0;
  await resume();
}

async function resume() {
  find("pause").disabled = find("replay").disabled = false;
  find("pause").textContent = "Pause";
  try {
    await video(active).play();
  } catch (error) {
    // Another video was started meanwhile; anything else is an error of the media.
    if (error.name !== "AbortError") report(`${NAMES[active]} cannot be played: ${error.message}`);
  }
}

function stop() {
  if (!video(active).paused) video(active).pause();
  find("pause").textContent = "Play";
}

function togglePause() {
  if (!active) return;
  if (video(active).paused) resume();
  else stop();
}

// Videos have no control to jump forward, so what was reached was played.
function follow(side) {
  if (!trial || side !== active) return;
  const { currentTime, duration, ended } = video(side);
  const wasReady = SIDES.every(isPlayed);
  const wasPlayed = isPlayed(side);
  const reached = ended ? Math.max(currentTime, duration) : currentTime;
  trial.reached[side] = Math.max(trial.reached[side], reached);
  find("position").value = duration ? currentTime / duration : 0;
  if (ended) find("pause").textContent = "Play";
  if (wasPlayed || !isPlayed(side)) return;
  markPlayed(side);
  recordPlay(side, reached);
  if (!wasReady && SIDES.every(isPlayed)) {
    allowAnswers();
    report("All three videos were played. You can answer now.");
  }
}

function recordPlay(side, seconds) {
  return send("POST", `api/trials/${trial.position}/plays`, { seconds: { [side]: seconds } });
}

async function vote(event) {
  event.preventDefault();
  if (active) stop();
  find("next").disabled = true;
  report("Storing your answer.");
  const answers = Object.fromEntries(new FormData(find("answers")));
  const seconds = Math.min((performance.now() - trial.startedMs) / 1000, LONGEST_TRIAL_S);
  const path = `api/trials/${trial.position}`;
  await send("POST", `${path}/plays`, { seconds: trial.reached });
  const { status, values } = await send("POST", `${path}/vote`, {
    answers,
    key: trial.key,
    elapsed_s: seconds,
  });
  if (status === 403 || status === 422) {
    find("next").disabled = false;
    report(`Not accepted: ${values.error}`);
    return;
  }
  report("");
  trial = null;
  await proceed();
}

function pressKey(event) {
  const isTyping = event.target.matches("textarea, input:not([type=radio]):not([type=checkbox])");
  if (!trial || isTyping || !find("shortcuts").checked) return;
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  const side = { 1: "true", 2: "a", 3: "b" }[event.key];
  if (side) play(side);
  else if (event.key === "0") togglePause();
}

// ---- the end ----

function finish(code) {
  find("code").textContent = code;
  show("finished");
}

async function comment(event) {
  event.preventDefault();
  const text = find("comment").value.trim();
  if (!text) return;
  const { status } = await send("POST", "api/comments", { text });
  if (status === 204) {
    find("comment").value = "";
    report("Your comment is stored.");
  } else report("The comment was not accepted.");
}

find("consent-form").addEventListener("submit", agree);
find("tones").addEventListener("click", playTones);
find("audio-form").addEventListener("submit", checkTones);
find("start").addEventListener("click", () => proceed());
find("pause").addEventListener("click", togglePause);
find("replay").addEventListener("click", () => play(active));
find("answers").addEventListener("submit", vote);
find("comment-form").addEventListener("submit", comment);
find("reload").addEventListener("click", () => location.reload());
find("link").addEventListener("focus", (event) => event.target.select());
document.addEventListener("keydown", pressKey);
for (const side of SIDES) {
  find(`play-${side}`).addEventListener("click", () => play(side));
  for (const name of ["timeupdate", "ended"]) video(side).addEventListener(name, () => follow(side));
  // Every stop is recorded, by whatever it was caused.
  video(side).addEventListener("pause", () => {
    if (trial && video(side).currentTime > 0) recordPlay(side, video(side).currentTime);
  });
  video(side).addEventListener("error", () => {
    if (trial) report(`${NAMES[side]} cannot be loaded. Reload this page to try again.`);
  });
}
begin();

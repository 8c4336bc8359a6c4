// Ranks the answers in props.value = {key, state, answers: [{text, version, done}], error}, or shows
// nothing where it is null. A digit gives the marked answer its rank and marks the next one, so four
// answers with ties take five keys. Fires "submit" with {ranks, none, seconds, input} and "skip".
const root = element.querySelector(".rl-root");
const LETTERS = "ABCDEFGHIJKLMNOP";
let key = null, ranks = [], current = 0, none = false, wasReady = false;

// What a file loaded after this one may replace. `value` is what is ranked; `above`, `tools` (of one
// answer), `below` and `actions` are drawn beside it, `empty` where there is none; `attributes` are
// the section's. `begun` sees another one come, `seen` that the component came into view, `key` and
// `click` say whether they took what happened, `send` hears "submit" with what it fires and "skip".
const part = {
  value: () => props.value,
  words: {
    which: "Which is best?",
    none: "None is acceptable. Your message stays, to be asked again or edited.",
    alike: "These answers are all alike: skip them, or ask at a higher temperature.",
    hint: " submits. The best one carries the conversation on.",
  },
  above: () => [], tools: () => [], below: () => [], actions: () => [], empty: () => [],
  attributes: () => ({}), begun: () => {}, seen: () => {}, key: () => false, click: () => false,
  send: (what, said) => trigger(what, said),
};

const asked = () => {
  const value = part.value();
  return value && value.answers ? value : null;
};
const ready = () => asked() !== null && asked().state === "ready";
const ranked = () => ranks.filter((rank) => rank !== null).length;
const sendable = () => ready() && (none || ranked() >= 2);

// What was used last: "keys", "mouse" or "touch".
let how = null;
root.addEventListener("pointerdown", (event) => {
  how = event.pointerType === "mouse" ? "mouse" : "touch";
});

// How long there was something to read and somebody could read it: neither while the page is hidden
// nor while another tab is open.
let looked = 0, since = null;
const seconds = () => (looked + (since === null ? 0 : performance.now() - since)) / 1000;
const legible = () => asked() !== null &&
  (asked().state !== "answering" || asked().answers.some(({ text }) => text));
function look(on) {
  if (since !== null) looked += performance.now() - since;
  since = on && legible() ? performance.now() : null;
}
document.addEventListener("visibilitychange", () => look(!document.hidden && visible()));
new IntersectionObserver((seen) => {
  const here = seen[seen.length - 1].isIntersecting;
  look(here && !document.hidden);
  if (here) part.seen();
}).observe(element);

// The lowest rank given is the best one; before all have a rank, only a 1 is sure to stay so.
function isBest(i) {
  const given = ranks.filter((rank) => rank !== null);
  return ranks[i] !== null && ranks[i] === Math.min(...given) &&
    (ranks[i] === 1 || given.length === ranks.length);
}

function card(answer, i, count) {
  const letter = LETTERS[i];
  const best = isBest(i);
  const buttons = ranks.map((_, r) => ["button", {
    class: "rl-rank", type: "button", "data-index": String(i), "data-rank": String(r + 1),
    "aria-pressed": String(ranks[i] === r + 1),
    "aria-label": `Answer ${letter}: rank ${r + 1} of ${count}`,
    title: `Rank ${r + 1}` + (r === 0 ? " (best)" : ""),
  }, String(r + 1)]);
  return ["li", {
    class: "rl-card" + (i === current && asked().state !== "sending" ? " rl-current" : "") +
      (best && !none ? " rl-best" : ""),
    "data-card": String(i),
  },
  ["div", { class: "rl-card-head" },
    ["span", { class: "rl-letter" }, letter],
    ["span", { class: "rl-place" },
      best && !none ? "best" : ranks[i] === null || none ? "" : `rank ${ranks[i]}`],
    ...(answer.version ? [["span", { class: "rl-badge", title: "The version that answered" },
      answer.version]] : []), ...part.tools(i)],
  ["div", { class: "rl-text", "aria-busy": String(!answer.done) },
    answer.text, ...(answer.done ? [] : [["span", { class: "rl-caret", "aria-hidden": "true" }, ""]])],
  ["div", { class: "rl-ranks", role: "group", "aria-label": `Rank of answer ${letter}` },
    ...buttons]];
}

function summary() {
  if (none) return part.words.none;
  if (asked().state === "sending") return "Recording your ranking…";
  if (!ranked()) {
    const same = ready() && new Set(asked().answers.map((answer) => answer.text)).size === 1;
    return same ? part.words.alike : `${part.words.which} Equal ranks are ties.`;
  }
  const places = [...new Set(ranks.filter((rank) => rank !== null))].sort((a, b) => a - b);
  const order = places.map((place) => ranks.map((rank, i) => rank === place ? LETTERS[i] : "")
    .filter(Boolean).join(" = "));
  const left = ranks.length - ranked();
  return order.join("  >  ") + (left ? `   (${left} unranked)` : "");
}

function tree() {
  const value = asked();
  if (!value) return part.empty();
  const off = (yes) => yes ? { disabled: "" } : {};
  return [...part.above(),
    ["section", { class: "rl-ranker", "aria-label": "Rank the answers", tabindex: "-1",
      ...part.attributes() },
    ["ol", { class: "rl-cards" }, ...value.answers.map((answer, i) =>
      card(answer, i, value.answers.length))],
    ...part.below(),
    ["div", { class: "rl-verdict" },
      ["p", { class: "rl-summary", role: "status" }, summary()],
      ["div", { class: "rl-actions" }, ...part.actions(),
        ["button", { class: "rl-button rl-quiet", type: "button", "data-do": "skip",
          ...off(!ready()) }, "Skip", ["small", { class: "rl-key", "aria-hidden": "true" }, "s"]],
        ["button", { class: "rl-button rl-quiet", type: "button", "data-do": "none",
          "aria-pressed": String(none), ...off(!ready()) }, "None is acceptable",
        ["small", { class: "rl-key", "aria-hidden": "true" }, "x"]],
        ["button", { class: "rl-button rl-main", type: "button", "data-do": "submit",
          ...off(!sendable()) }, "Submit ranking",
        ["small", { class: "rl-key", "aria-hidden": "true" }, "Enter"]]]],
    ...(value.error ? [["p", { class: "rl-wrong", role: "alert" }, value.error]] : []),
    ["p", { class: "rl-hint" },
      ["b", {}, `1–${value.answers.length}`], " ranks the marked answer and goes on · ",
      ["b", {}, "← →"], " move · ", ["b", {}, "Backspace"], " takes back · ",
      ["b", {}, "Enter"], part.words.hint]]];
}

function draw() {
  const value = asked();
  if ((value && value.key) !== key) {
    key = value && value.key;
    ranks = value ? value.answers.map(() => null) : [];
    current = 0; none = false; wasReady = false;
    looked = 0; since = null; how = null;
    part.begun();
  }
  if (since === null) look(!document.hidden && visible());
  sync(root, tree());
  if (ready() && !wasReady) takeFocus();
  wasReady = ready();
}

// The keys work as soon as the answers are there, unless somebody is typing something.
function takeFocus() {
  const box = document.activeElement;
  const typing = box && /^(input|textarea|select)$/i.test(box.tagName) && box.value;
  if (!typing && visible()) root.querySelector(".rl-ranker").focus({ preventScroll: true });
}
const visible = () => element.offsetParent !== null;

function rank(index, place) {
  none = false;
  ranks[index] = ranks[index] === place ? null : place;
  current = index;
}

function act(what) {
  if (what === "none") none = !none;
  else if (what === "skip" && ready()) part.send("skip", {});
  else if (what === "submit" && sendable()) {
    part.send("submit", { ranks: [...ranks], none, seconds: seconds(), input: how });
  }
  draw();
}

root.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button && part.click(button)) return draw();
  if (!asked() || asked().state === "sending") return;
  if (button && button.dataset.do) return act(button.dataset.do);
  if (button && button.dataset.rank) rank(Number(button.dataset.index), Number(button.dataset.rank));
  else {
    const card = event.target.closest("[data-card]");
    if (card) current = Number(card.dataset.card);
  }
  draw();
});

// True where the key is none of ours: somebody types, or holds a modifier.
function elsewhere(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return true;
  const target = event.target;
  if (target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName)) return true;
  // Keys pressed on the page at large count; those on other controls are theirs.
  return target !== document.body && !root.contains(target);
}

function onKey(event) {
  if (!visible() || elsewhere(event)) return;
  how = "keys";
  if (part.key(event)) {
    event.preventDefault();
    return draw();
  }
  if (!asked() || asked().state === "sending") return;
  const count = ranks.length;
  const onAction = event.target.closest && event.target.closest("[data-do], [data-part]");
  if (/^[1-9]$/.test(event.key) && Number(event.key) <= count) {
    if (current >= count) return;
    none = false;
    ranks[current] = Number(event.key);
    current += 1;
  } else if (event.key === "ArrowRight" || event.key === "ArrowDown") {
    current = Math.min(current + 1, count - 1);
  } else if (event.key === "ArrowLeft" || event.key === "ArrowUp") {
    current = Math.max(Math.min(current, count) - 1, 0);
  } else if (event.key === "Backspace") {
    current = Math.max(Math.min(current, count) - 1, 0);
    ranks[current] = null;
  } else if (event.key === "x" && ready()) act("none");
  else if (event.key === "s" && ready()) act("skip");
  else if (event.key === "Enter" && !onAction) act("submit");
  else return;
  event.preventDefault();
  draw();
}
document.addEventListener("keydown", onKey);
watch("value", draw);
draw();

// Two answers side by side, blind. props.value = {state, told, wrong, key, question, answers: [{id,
// text, version}], ranks, error}; `version` and `ranks` are there once the two are judged. Fires
// "judge" with {key, candidates, texts, question, ranks, none} and "again".
const root = element.querySelector(".rl-root");
const CHOICES = [
  ["1", "Left is better", [1, 2], false], ["2", "Right is better", [2, 1], false],
  ["0", "Equally good", [1, 1], false], ["x", "Neither will do", [1, 1], true],
];
let sent = null;

const value = () => props.value || {};
const state = () => value().state === "ready" && sent === value().key ? "sending" : value().state;
const visible = () => element.offsetParent !== null;

function card(answer, place) {
  const { ranks } = value();
  const best = ranks && ranks[place] < ranks[1 - place];
  return ["li", { class: "rl-card" + (best ? " rl-best" : "") },
    ["div", { class: "rl-card-head" },
      ["span", { class: "rl-letter" }, place ? "2" : "1"],
      ["span", { class: "rl-place" }, best ? "better" : ""],
      ...(answer.version ? [["span", { class: "rl-badge" }, answer.version]] : [])],
    ["div", { class: "rl-text" }, answer.text]];
}

function verdict() {
  const [one, other] = value().answers, { ranks } = value();
  if (ranks[0] === ranks[1]) return `${one.version} and ${other.version}: no difference.`;
  const [best, rest] = ranks[0] < ranks[1] ? [one, other] : [other, one];
  return `You put ${best.version} above ${rest.version}.`;
}

const button = (key, text, data, off) => ["button", {
  class: "rl-button", type: "button", ...data, ...(off ? { disabled: "" } : {}),
}, text, ["small", { class: "rl-key", "aria-hidden": "true" }, key]];

function tree() {
  const { told, wrong, answers, question, error } = value();
  if (state() === "asking") return [["p", { class: "rl-note", role: "status" }, "Both are answering…"]];
  if (!answers) {
    return told ? [["p", { class: wrong ? "rl-wrong" : "rl-note", role: wrong ? "alert" : "status" }, told]] : [];
  }
  const judged = state() === "judged";
  return [["section", { class: "rl-ranker", "aria-label": "Which answer is better?", tabindex: "-1" },
    ["ol", { class: "rl-turns" }, ...question.map(({ role, content }, i) =>
      ["li", { class: `rl-turn-${role}` + (i === question.length - 1 ? " rl-last" : "") }, content])],
    ["ol", { class: "rl-cards" }, ...answers.map(card)],
    ["div", { class: "rl-verdict" },
      ["p", { class: "rl-summary", role: "status" }, judged ? verdict() : "Which is better? The names come after."],
      ["div", { class: "rl-actions" }, ...(judged
        ? [button("Enter", "Next", { "data-again": "1" }, false)]
        : CHOICES.map(([key, text], i) => button(key, text, { "data-choice": String(i) }, state() !== "ready")))]],
    ...(error ? [["p", { class: "rl-wrong", role: "alert" }, error]] : [])]];
}

let shown = null;
function draw() {
  if (value().error) sent = null;
  sync(root, tree());
  const now = `${value().key} ${value().state}`;
  const section = root.querySelector(".rl-ranker");
  if (section && shown !== now && visible()) section.focus({ preventScroll: true });
  shown = now;
}

function judge([, , ranks, none]) {
  if (state() !== "ready") return;
  const { key, answers, question } = value();
  sent = key;
  draw();
  trigger("judge", {
    key, question, ranks, none,
    candidates: answers.map(({ id }) => id), texts: answers.map(({ text }) => text),
  });
}

root.addEventListener("click", (event) => {
  const pressed = event.target.closest("button");
  if (!pressed || pressed.disabled) return;
  if (pressed.dataset.again) trigger("again", {});
  else judge(CHOICES[Number(pressed.dataset.choice)]);
});

document.addEventListener("keydown", (event) => {
  if (!visible() || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target;
  if (target.isContentEditable || /^(input|textarea|select|button)$/i.test(target.tagName)) return;
  const choice = CHOICES.find(([key]) => key === event.key);
  if (choice && state() === "ready") judge(choice);
  else if (event.key === "Enter" && state() === "judged") trigger("again", {});
  else return;
  event.preventDefault();
});
watch("value", draw);
draw();

// What labelling draws beside the answers. All of it is nodes; texts are only ever set as text.
const KEYS = [
  ["1 – 4", "rank the marked answer and go on"], ["← →", "mark another answer"],
  ["t", "tie the marked answer with the one before"], ["x", "none is acceptable"],
  ["Backspace", "take the last rank back"], ["Enter", "submit"], ["s", "skip, with a reason"],
  ["u", "go back to what you submitted, and change it"],
  ["e", "edit the marked answer into what you would rather have read"],
  ["g", "guidelines"], ["?", "this list"], ["Esc", "close"],
];

part.words = {
  get which() {
    const shown = shownItem();
    return shown && shown.criterion ? `Which is most ${shown.criterion}?` : "Which is best?";
  },
  none: "None is acceptable.",
  alike: "These answers are all alike: give them one rank, or skip them.",
  hint: " submits · ? lists all keys",
};

const keycap = (name) => ["small", { class: "rl-key", "aria-hidden": "true" }, name];
function partButton(name, text, letter, more = {}, css = "rl-quiet") {
  return ["button", { class: `rl-button ${css}`, type: "button", "data-part": name, ...more }, text,
    ...(letter ? [keycap(letter)] : [])];
}
const off = (yes) => yes ? { disabled: "" } : {};

// Each stands in its place whatever else is shown, so that no field is made anew while it is open.
part.above = () => [head(), question()];
part.empty = () => [head(), nothing()];
part.attributes = () => behind();

const head = () => ["div", {}, bar(), ...overlay()];
function bar() {
  const p = progress, figures = p && [
    `${p.today} done today`, `${p.waiting} waiting`,
    ...(p.median_s === null ? [] : [`${spoken(p.median_s)} each`]),
  ];
  return ["div", { class: "rl-desk" },
    ["p", { class: "rl-progress-line", role: "status" },
      told || (figures ? figures.join("  ·  ") : "")],
    ["div", { class: "rl-actions" },
      partButton("guidelines", "Guidelines", "g", off(!desk)), partButton("help", "Keys", "?", {}, "rl-quiet rl-more")]];
}
const spoken = (s) => s < 90 ? `${Math.round(s)} s` : `${Math.round(s / 60)} min`;

function nothing() {
  if (person === null || (!progress && !told)) return ["p", { class: "rl-note" }, "…"];
  return ["section", { class: "rl-welcome" },
    ["h2", {}, preparing ? "Answers are being written" : "Nothing to label just now"],
    ["p", { class: "rl-lead", role: "status" }, preparing
      ? "The next item comes by itself in a moment."
      : "Items come from imported prompts and from what people ask in the chat. This page looks for new ones by itself."],
    ...(past.length ? [["div", {}, undoButton()]] : [])];
}

function question() {
  const { messages, criterion } = shownItem();
  return ["section", { class: "rl-question", "aria-label": "What was asked", ...behind() },
    ...(back === null ? [] : [["p", { class: "rl-again" },
      `You submitted this one ${past.length - back === 1 ? "last" : `${past.length - back} items ago`}. `,
      partButton("forward", "Back to the next item", "Esc")]]),
    ["ol", { class: "rl-turns" }, ...messages.map(turn)],
    ...(criterion ? [["p", { class: "rl-again rl-by" }, ["span", {},
      "Rank by one thing alone: which is most ", ["strong", {}, criterion], "?"]]] : [])];
}
function turn({ role, content }, i, all) {
  const who = { user: "Person", assistant: "Model", system: "System" }[role] || role;
  const last = i === all.length - 1 ? " rl-last" : "";
  return ["li", { class: `rl-turn-${role}${last}` },
    ["span", { class: "rl-spoken" }, `${who}: `], ["div", { class: "rl-text" }, content]];
}
// What lies behind an overlay cannot be reached.
const behind = () => panel && panel !== "skip" ? { inert: "" } : {};

part.tools = (i) => [partButton("edit", "Edit", i === marked() ? "e" : "", {
  "data-index": String(i), "aria-label": `Edit answer ${LETTERS[i]} into what you would rather have read`,
}, "rl-quiet rl-small")];

part.below = () => [
  ["details", { class: "rl-rate", ...(open ? { open: "" } : {}) },
    ["summary", {}, `Rate and comment (optional)`],
    ...(desk ? desk.criteria : []).map(criterion),
    ["textarea", { class: "rl-field rl-comment", rows: "2", maxlength: "10000",
      placeholder: "Anything worth knowing about these answers", "aria-label": "Comment" }]],
  ...(panel === "skip" ? [reasons()] : []),
];
function criterion(name) {
  const given = (ratings[name] || [])[marked()], letter = LETTERS[marked()];
  const values = [1, 2, 3, 4, 5, 6, 7].map((value) => ["button", {
    class: "rl-rank", type: "button", "data-part": "rate", "data-criterion": name,
    "data-value": String(value), "aria-pressed": String(given === value),
    "aria-label": `Answer ${letter}, ${name}: ${value} of 7`,
  }, String(value)]);
  return ["div", { class: "rl-scale", role: "group", "aria-label": `Answer ${letter}: ${name}` },
    ["span", {}, `${letter} is ${name}`], ["div", { class: "rl-ranks" }, ...values]];
}
function reasons() {
  const list = desk ? desk.skips : [];
  return ["div", { class: "rl-reasons", role: "group", "aria-label": "Why do you skip this?" },
    ["span", { class: "rl-strong" }, "Why skip?"],
    ...list.map((reason, i) => partButton("reason", reason, String(i + 1), { "data-reason": reason })),
    partButton("skip", "Don't skip", "Esc")];
}

part.actions = () => [undoButton()];
const undoButton = () => partButton("undo", "Undo", "u", {
  ...off(sending || (back === null ? !past.length : back === 0)),
  title: "Go back to what you submitted, and change it",
});

function overlay() {
  if (panel === "help") return [dialog("Keys", [keys()])];
  if (panel === "guidelines" && desk) {
    return [dialog("Guidelines", [["div", { class: "rl-text" }, desk.guidelines.text],
      ["p", { class: "rl-note" }, `version ${desk.guidelines.version}`]])];
  }
  if (panel === "edit" && shownItem()) return [editor()];
  return [];
}
function keys() {
  return ["dl", { class: "rl-keys" }, ...KEYS.flatMap(([name, meaning]) =>
    [["dt", {}, ["b", {}, name]], ["dd", {}, meaning]])];
}
function editor() {
  return dialog(`Answer ${LETTERS[marked()]}, as you would rather have read it`, [
    ["textarea", { class: "rl-field rl-edit", rows: "8", maxlength: "20000", "aria-label": "Your answer" },
      shownItem().answers[marked()].text],
    ["div", { class: "rl-actions" }, partButton("save", "Keep it", "Ctrl Enter", {}, "rl-main")],
  ]);
}
function dialog(title, children) {
  return ["div", { class: "rl-overlay" },
    ["div", { class: "rl-dialog", role: "dialog", "aria-modal": "true", "aria-label": title, tabindex: "-1" },
      ["div", { class: "rl-desk" }, ["h2", {}, title], partButton("close", "Close", "Esc")],
      ...(error ? [["p", { class: "rl-wrong", role: "alert" }, error]] : []), ...children]];
}

// The dialog that has just opened gets the focus, its text field first.
let opened = null;
new MutationObserver(() => {
  const dialog = root.querySelector(".rl-dialog");
  if (dialog && opened !== panel) (dialog.querySelector("textarea") || dialog).focus();
  opened = dialog ? panel : null;
}).observe(root, { childList: true, subtree: true });
begin();
draw();

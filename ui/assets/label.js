// Labelling, on top of ranker.js: takes items from the queue and gives rankings back. What is drawn
// beside the answers stands in label_parts.js.
//
// props.value is {person}. The functions of `server` answer {error} or what the API said; an item
// is {id, messages, answers: [{id, text}]}. `draft` is what was said of an item so far, so that one
// can be left and come back to.
const UNDO = 20, SOON_MS = 800, LATER_MS = 4000, KEPT = "rankloop-labelled";
let desk = null, item = null, progress = null, preparing = false, person = null;
let past = [], back = null;      // the last items that were submitted, and which of them is shown
let panel = null, open = false;  // "help", "guidelines", "skip" or "edit"; whether ratings are open
let ratings = {}, sending = false, error = null, told = null, lost = null, timer = 0;

const shownItem = () => back === null ? item : past[back];
const marked = () => Math.min(current, ranks.length - 1);
const comment = () => root.querySelector(".rl-comment");

part.value = () => {
  const shown = shownItem();
  return shown && {
    key: shown.key, state: sending ? "sending" : "ready", error,
    answers: shown.answers.map(({ text }) => ({ text, done: true })),
  };
};

part.seen = () => wait();

// What was said of the item that comes: nothing, or what was left.
part.begun = () => {
  const shown = shownItem(), draft = (shown && shown.draft) || {};
  ratings = draft.ratings || {};
  open = open || Object.keys(ratings).length > 0;
  looked = (draft.seconds || 0) * 1000;
  if (draft.ranks) { ranks = [...draft.ranks]; none = draft.none; current = ranks.length; }
  // The field is there once the item is drawn.
  queueMicrotask(() => { if (comment()) comment().value = draft.comment || ""; });
};

function draft() {
  const said = comment() ? comment().value.trim() : "";
  return { ranks: [...ranks], none, ratings: structuredClone(ratings), comment: said, seconds: seconds() };
}

function leave() {
  if (shownItem()) shownItem().draft = draft();
}

// The same for a retry, another for another verdict: the first may have got through.
function retryKey(shown, { ranks, none, ratings, comment }) {
  const said = JSON.stringify([ranks, none, ratings, comment]);
  let hash = 0;
  for (const character of said) hash = (Math.imul(hash, 31) + character.codePointAt(0)) | 0;
  return `${shown.key}-${hash >>> 0}`;
}

async function ask(what, body) {
  // Gradio answers with nothing where nobody is reached, and with {detail} where its own part fails.
  const answer = await server[`label_${what}`]({ person, ...body }).catch(() => null);
  if (answer && !answer.detail) return answer;
  return { error: "This page cannot reach Rankloop. Nothing is lost: try again." };
}

// Takes in what /v1/tasks/next said.
function take(next) {
  if (next.error) { error = next.error; return; }
  progress = next.progress;
  preparing = next.preparing;
  keeping = performance.now();
  item = next.task && { ...next.task, key: `${next.task.id}-${Math.random().toString(36).slice(2)}` };
  error = null;
}

// An item stays with whoever is at it: a third of its time after they had it, the next touch of
// key, pointer or wheel keeps it. A page that is only open keeps nothing.
let keeping = 0;
function keep() {
  if (!item || back !== null || document.hidden || !visible()) return;
  if (performance.now() - keeping < item.expires_in_s * 1000 / 3) return;
  keeping = performance.now();
  const kept = item;
  ask("keep", { task: kept.id }).then((answer) => {
    if (answer.gone && item === kept && !sending) refused(answer);
  });
}
for (const sign of ["keydown", "pointermove", "pointerdown", "wheel"]) {
  document.addEventListener(sign, keep, { passive: true });
}

// Looks for an item as long as there is none and somebody looks at the page.
function wait() {
  clearTimeout(timer);
  if (item || sending || person === null || document.hidden || !visible()) return;
  if (desk) fetchNext(); else begin();
}
async function fetchNext() {
  const asker = person;
  const next = await ask("next", {});
  if (asker !== person || item) return;
  take(next);
  trouble(next.error);
  draw();
  clearTimeout(timer);
  if (!item) timer = setTimeout(wait, preparing ? SOON_MS : LATER_MS);
}
document.addEventListener("visibilitychange", wait);

// Says what is wrong where there is no item to say it beside, until it is right again.
function trouble(sentence) {
  if (sentence || told === lost) told = sentence || null;
  lost = sentence || null;
}

async function begin() {
  const name = (props.value && props.value.person) || "";
  if (!props.value || props.value.person === undefined) return;
  if (name !== person) {
    person = name;
    item = null; back = null; panel = null; past = recall();
  }
  const found = await ask("desk", {});
  trouble(found.error);
  if (!found.error) { desk = found; progress = found.progress; }
  draw();
  if (desk) wait(); else timer = setTimeout(wait, LATER_MS);
}

function recall() {
  const kept = JSON.parse(sessionStorage.getItem(KEPT) || "{}");
  return kept.person === person ? kept.past : [];
}
function remember(shown) {
  past = [...past.filter(({ id }) => id !== shown.id), shown].slice(-UNDO);
  sessionStorage.setItem(KEPT, JSON.stringify({ person, past }));
}

async function submit() {
  const shown = shownItem(), said = draft();
  sending = true; error = null; told = null;
  draw();
  const answer = await ask("rank", {
    task: shown.id, candidates: shown.answers.map(({ id }) => id), ...said,
    input: how, guidelines: desk && desk.guidelines.version,
    key: retryKey(shown, said), next: back === null,
  });
  sending = false;
  if (answer.error) return refused(answer);
  remember({ ...shown, draft: said });
  if (back === null) take(answer.next);
  else { back = null; told = "Changed. Your later word counts."; }
  settle();
}

async function skip(reason) {
  panel = null; sending = true; error = null; told = null;
  draw();
  const answer = await ask("skip", { task: item.id, reason });
  sending = false;
  if (answer.error) return refused(answer);
  take(answer.next);
  settle();
}

// What is over is let go of; anything else stays as it was said, to be sent again.
function refused({ error: sentence, gone }) {
  error = sentence;
  if (gone) {
    told = sentence; error = null;
    if (back === null) item = null; else { past.splice(back, 1); back = null; }
  }
  settle();
}
function settle() {
  how = null;
  draw();
  scrollTo({ top: 0 });
  if (!item) wait();
}

async function show(text) {
  const shown = shownItem(), answer = shown.answers[marked()];
  const kept = await ask("show", {
    messages: shown.messages, text, candidate: answer.id,
    key: `${shown.key}-${marked()}-${text.length}-${Date.now()}`,
  });
  if (kept.error) { error = kept.error; return draw(); }
  close();
  told = `Kept: what you would rather have answered, in place of ${LETTERS[marked()]}.`;
  draw();
}

function undo() {
  const before = back === null ? past.length - 1 : back - 1;
  if (before < 0 || sending) return;
  leave();
  back = before;
  told = null; error = null;
}
function forward() {
  leave();
  back = null; error = null;
}

function openPanel(name) {
  panel = panel === name ? null : name;
  error = null;
}
function close() {
  panel = null;
  draw();
  const section = root.querySelector(".rl-ranker");
  if (section) section.focus({ preventScroll: true });
}

part.send = (what) => {
  if (what === "submit") submit();
  else if (back === null) openPanel("skip");
};

part.key = (event) => {
  if (sending) return false;
  if (panel === "skip" && /^[1-9]$/.test(event.key)) {
    const reason = desk && desk.skips[Number(event.key) - 1];
    if (reason) skip(reason);
    return true;
  }
  if (event.key === "Escape") {
    if (panel) close(); else if (back !== null) forward();
    return true;
  }
  if (panel) return event.key !== "Tab" && event.key !== "Enter" && event.key !== " ";
  if (event.key === "?") openPanel("help");
  else if (event.key === "g") openPanel("guidelines");
  else if (event.key === "u") undo();
  else if (event.key === "e" && shownItem()) openPanel("edit");
  else if (event.key === "t" && shownItem()) tie();
  else return false;
  return true;
};

// The marked answer gets the rank of the one before it.
function tie() {
  if (current < 1 || current >= ranks.length || ranks[current - 1] === null) return;
  none = false;
  ranks[current] = ranks[current - 1];
  current += 1;
}

part.click = (button) => {
  const { part: name, index } = button.dataset;
  if (!name || button.disabled || sending) return Boolean(name);
  if (name === "close") close();
  else if (name === "undo") undo();
  else if (name === "forward") forward();
  else if (name === "again") begin();
  else if (name === "reason") skip(button.dataset.reason);
  else if (name === "save") show(root.querySelector(".rl-edit").value);
  else if (name === "rate") rate(button.dataset.criterion, Number(button.dataset.value));
  else { if (index !== undefined) current = Number(index); openPanel(name); }
  return true;
};

function rate(criterion, value) {
  const given = ratings[criterion] || ranks.map(() => null);
  given[marked()] = given[marked()] === value ? null : value;
  ratings = { ...ratings, [criterion]: given };
}

root.addEventListener("toggle", (event) => {
  if (event.target.matches(".rl-rate")) open = event.target.open;
}, true);
// Keys in a field are its own, but for those that leave it.
root.addEventListener("keydown", (event) => {
  if (!event.target.matches("textarea")) return;
  if (event.key === "Escape") { if (panel) close(); else event.target.blur(); }
  else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    if (event.target.matches(".rl-edit")) show(event.target.value); else act("submit");
  } else return;
  event.preventDefault();
});
watch("value", begin);

// Shows the tree in props.value; a button with data-action fires the event "action", and so does a
// click on a text with data-words: the action "word", with the place in characters.
const root = element.querySelector(".rl-root");
const draw = () => sync(root, props.value || []);

root.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (button && !button.disabled) {
    trigger("action", { action: button.dataset.action, id: button.dataset.id || null });
  }
});

root.addEventListener("click", (event) => {
  const text = event.target.closest("[data-words]");
  if (!text || !getSelection().isCollapsed) return;
  const at = characters(text, event);
  if (at !== null) trigger("action", { action: "word", id: text.dataset.words, at });
});

// How many characters of the text stand before the one that was clicked.
function characters(text, { clientX, clientY }) {
  const caret = document.caretPositionFromPoint?.(clientX, clientY);
  if (!caret || !text.contains(caret.offsetNode)) return null;
  const range = document.createRange();
  // The caret goes to the nearer side of a character: beyond its middle that is the right one.
  range.setStart(caret.offsetNode, caret.offset);
  const beyond = range.getBoundingClientRect().left > clientX && caret.offset > 0;
  range.setEnd(caret.offsetNode, caret.offset - (beyond ? 1 : 0));
  range.setStart(text, 0);
  return [...range.toString()].length;
}

watch("value", draw);
draw();

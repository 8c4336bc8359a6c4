// Shows the tree in props.value; a button with data-action fires the event "action".
const root = element.querySelector(".rl-root");
const draw = () => sync(root, props.value || []);

root.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (button && !button.disabled) {
    trigger("action", { action: button.dataset.action, id: button.dataset.id || null });
  }
});
watch("value", draw);
draw();

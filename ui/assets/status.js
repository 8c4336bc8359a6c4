// Shows props.value.nodes, asks now and then whether anything is new and fires "refresh" if so.
// A hidden page asks nothing; a page that cannot reach its UI process says so and goes on asking.
const root = element.querySelector(".rl-root");
let revision = null, every = 2, lost = false, timer = 0;

const LOST = ["p", { class: "rl-banner", role: "alert" },
  "This page cannot reach Rankloop. Nothing you typed is lost; it goes on by itself as soon as " +
  "Rankloop is back."];

function draw() {
  const nodes = (props.value && props.value.nodes) || [];
  sync(root, lost ? [...nodes, LOST] : nodes);
}

async function beat() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    const answer = await server.poll(String(revision));
    every = answer.every;
    if (lost || answer.revision !== revision) trigger("refresh", {});
    revision = answer.revision;
    if (lost) { lost = false; draw(); }
  } catch {
    lost = true;
    draw();
  }
  clearTimeout(timer);
  timer = setTimeout(beat, every * 1000);
}

document.addEventListener("visibilitychange", beat);
watch("value", draw);
draw();
beat();

// Shows props.value.nodes, asks now and then whether anything is new and fires "refresh" if so, and
// "swapped" where another version answers.
// A hidden page asks nothing; a page that cannot reach its UI process says so and goes on asking.
const root = element.querySelector(".rl-root");
let revision = null, answering = "", every = 2, lost = false, timer = 0;

const LOST = ["p", { class: "rl-banner", role: "alert" },
  "This page cannot reach Rankloop. Nothing you typed is lost; it goes on by itself as soon as " +
  "Rankloop is back."];

const OUT = ["p", { class: "rl-banner", role: "alert" },
  "You are no longer signed in: load this page again to sign in. What you typed stays until then."];

root.addEventListener("click", async (event) => {
  const { go, post } = event.target.closest("button")?.dataset ?? {};
  if (go) location.assign(go);
  if (post) location.assign((await fetch(post, { method: "POST" })).url);
});

function draw() {
  const nodes = (props.value && props.value.nodes) || [];
  sync(root, lost ? [...nodes, lost] : nodes);
}

async function beat() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    const answer = await server.poll(String(revision));
    every = answer.every;
    if (lost || answer.revision !== revision) trigger("refresh", {});
    revision = answer.revision;
    if (answer.answering !== answering) trigger("swapped", {});
    answering = answer.answering;
    if (lost) { lost = false; draw(); }
  } catch {
    lost = await signedOut() ? OUT : LOST;
    draw();
  }
  clearTimeout(timer);
  timer = setTimeout(beat, every * 1000);
}

async function signedOut() {
  try {
    return (await (await fetch("/sign-in/state")).json()).out;
  } catch {
    return false;
  }
}

document.addEventListener("visibilitychange", beat);
watch("value", draw);
draw();
beat();

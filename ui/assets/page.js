// Follows the conversation as it grows, unless the reader has scrolled away: down to its end, but
// never past what was asked last, so that long answers are read from their beginning.
(() => {
  const MARGIN = 14;
  let follows = true, aim = 0;

  function goal() {
    const log = document.querySelector(".rl-log");
    if (!log || !log.offsetParent) return null;
    const end = document.documentElement.scrollHeight - innerHeight;
    const asked = [...log.querySelectorAll(".rl-user")].pop();
    if (!asked) return end;
    return Math.max(Math.min(end, scrollY + asked.getBoundingClientRect().top - MARGIN), 0);
  }

  function follow() {
    const target = goal();
    if (target === null || !follows) return;
    aim = target;
    if (Math.abs(scrollY - target) > 1) scrollTo({ top: target });
  }

  addEventListener("scroll", () => { follows = Math.abs(scrollY - aim) < 120; }, { passive: true });
  let asked = 0;
  new MutationObserver(() => {
    const count = document.querySelectorAll(".rl-user").length;
    // Whoever asks something wants to see what comes.
    if (count !== asked) { asked = count; follows = true; }
    requestAnimationFrame(follow);
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
})();

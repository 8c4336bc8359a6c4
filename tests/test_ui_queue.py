"""What is queued just before Gradio's event stream closes still arrives."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.test_ui_browser import SOON_MS, browser, visiting
from tests.ui_running import site

__all__ = ["browser"]

HELD = """(() => {
const real = window.fetch, text = new TextDecoder(), bytes = new TextEncoder();
window.fetch = async (what, options) => {
  const answer = await real(what, options);
  if (!String(what.url || what).includes("queue/data")) return answer;
  const held = new TransformStream({ async transform(chunk, out) {
    for (const frame of text.decode(chunk).split(/(?<=\\n\\n)/)) {
      if (window.holding && frame.includes("close_stream"))
        await new Promise((done) => { window.release = done; });
      out.enqueue(bytes.encode(frame));
    }
  } });
  return new Response(answer.body.pipeThrough(held), { headers: answer.headers });
};
})()"""
"""Keeps a stream's last frame back, as a slow line does, from when it is told to."""


@pytest.mark.parametrize("where", ["on the line", "in the client"])
def test_a_message_sent_as_the_stream_closes_is_answered(
    tmp_path: Path, browser: Browser, where: str
) -> None:
    """The close of the first answer's stream is read after the second message was taken in, by
    the page or, later than that, by Gradio's client."""
    line = HELD if where == "on the line" else None
    with site(tmp_path) as running, visiting(browser, running.url, before=line) as page:
        if line is None:
            page.evaluate(HELD)
        page.locator("#rl-count input[value='1']").check()
        box, send = page.locator("#rl-box textarea"), page.locator("#rl-send")
        turns = page.locator(".rl-turn")
        for text, count in (("one", 2), ("two", 4)):
            box.fill(text)
            box.press("Enter")
            expect(turns).to_have_count(count, timeout=SOON_MS)
            expect(send).to_be_visible(timeout=SOON_MS)
            page.evaluate("window.holding = true")
        page.wait_for_function("() => Boolean(window.release)")
        box.fill("three")
        with page.expect_response(lambda response: "queue/join" in response.url):
            box.press("Enter")
        page.wait_for_timeout(200)
        page.evaluate("window.release()")
        expect(turns).to_have_count(6, timeout=SOON_MS)

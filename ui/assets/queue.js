// Nothing that is queued is lost between two event streams. Gradio's client opens one for what is
// queued and is told to close it once nothing is left; what is queued after the server has said so
// and before the client has read it would wait for ever. So the stream goes on in a new one where
// an event is still owed, and an event that is promised while the client closes is told of after it.
(() => {
  const ask = window.fetch.bind(window), CLOSED_MS = 1000;
  const joining = new Set();   // requests that were sent and not answered
  const owed = new Set();      // events that were promised and whose end was not read
  const ended = new Set();     // those whose end was read before the promise
  let closing = Promise.resolve();

  async function join(what, options) {
    const answer = ask(what, options);
    const promise = answer.then(promised).catch(() => {});
    joining.add(promise);
    await promise;
    joining.delete(promise);
    await closing;
    return answer;
  }
  async function promised(answer) {
    const { event_id: id } = await answer.clone().json();
    if (id && !ended.delete(id)) owed.add(id);
  }
  async function isOwed() {
    while (joining.size) await Promise.all(joining);
    return owed.size > 0;
  }

  async function stream(what, options) {
    const asked = new Request(what, options), line = new AbortController();
    const open = () => ask(new Request(asked, { signal: line.signal }));
    const cut = () => line.abort();
    asked.signal.addEventListener("abort", cut);
    const answer = await open();
    if (!answer.ok || !answer.body) return answer;
    const bytes = new TextEncoder();
    async function relay(answer, out) {
      for await (const frame of frames(answer.body)) {
        const { msg, event_id: id } = end(frame);
        if (msg === "process_completed" && !owed.delete(id)) ended.add(id);
        if (msg === "close_stream") {
          if (await isOwed()) return relay(await open(), out);
          // The line ends by itself now; cut, the server would drop what was queued since.
          asked.signal.removeEventListener("abort", cut);
          closing = closed(asked.signal);
        }
        out.enqueue(bytes.encode(frame));
      }
      owed.clear();
      out.close();
    }
    const body = new ReadableStream({
      start: (out) => { relay(answer, out).catch((error) => { owed.clear(); out.error(error); }); },
    });
    return new Response(body, { status: answer.status, headers: answer.headers });
  }
  function closed(signal) {
    return new Promise((done) => {
      signal.addEventListener("abort", done);
      setTimeout(done, CLOSED_MS);
    });
  }
  async function* frames(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let left = "";
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      const whole = (left + next.value).split(/(?<=\n\n)/);
      left = whole.at(-1).endsWith("\n\n") ? "" : whole.pop();
      yield* whole;
    }
  }
  function end(frame) {
    return /process_completed|close_stream/.test(frame) ? JSON.parse(frame.slice(5)) : {};
  }

  window.fetch = (what, options) => {
    const url = String(what.url || what);
    if (url.includes("/queue/join")) return join(what, options);
    return url.includes("/queue/data") ? stream(what, options) : ask(what, options);
  };
})();

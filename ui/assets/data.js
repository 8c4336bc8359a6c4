// Files in and out. A file is read in pieces that end with a line, each of which goes to data_bring;
// what became of its lines comes back and is added up. props.value is {person}.
const FIRST = 2 ** 15, LONGEST = 2 ** 24;   // bytes; a line may be as long as the API takes
const SOON_MS = 500, LATE_MS = 2000;        // a piece that takes less or more is followed by another size
const HEAD = 2 ** 19;                       // of which the first line tells the format
const TOLD = 100;                           // bad lines that are listed
const find = (name) => element.querySelector(`.rl-${name}`);
const field = find("file"), format = find("format"), setName = find("set-name");
let going = null, stopped = false;          // the import that runs or was broken off

async function ask(what, body) {
  const answer = await server[`data_${what}`](body).catch(() => null);
  if (answer && !answer.detail) return answer;
  return { error: "This page cannot reach Rankloop." };
}

function base64(blob) {
  return new Promise((done, fail) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => fail(reader.error);
    reader.readAsDataURL(blob);
  });
}

// The next piece: up to the last line that ends within so many bytes, or the file's end.
async function next(file, offset, least) {
  for (let size = least; ; size *= 4) {
    const end = Math.min(offset + size, file.size);
    if (end === file.size) return end;
    const bytes = new Uint8Array(await file.slice(offset, end).arrayBuffer());
    const last = bytes.lastIndexOf(10);
    if (last >= 0) return offset + last + 1;
    if (size > LONGEST) throw new Error("A line is longer than 16 MiB: no format has such lines.");
  }
}

async function bring() {
  const { file } = going;
  stopped = false; going.error = null;
  show();
  try {
    while (going.offset < file.size && !stopped) {
      const end = await next(file, going.offset, going.piece);
      const lines = await base64(file.slice(going.offset, end));
      const began = performance.now();
      const answer = await ask("bring", { ...going.terms, lines });
      if (answer.error) throw new Error(answer.error);
      const took = performance.now() - began;
      if (took < SOON_MS) going.piece = Math.min(2 * going.piece, LONGEST);
      if (took > LATE_MS) going.piece = Math.max(going.piece / 2, FIRST / 8);
      add(answer);
      going.offset = end;
      show();
    }
  } catch (error) {
    going.error = error.message;
  }
  going.over = going.offset >= file.size;
  going.running = false;
  show();
  trigger("brought", {});
}

function add({ imported, known, refused, reasons, lines }) {
  going.imported += imported; going.known += known; going.refused += refused;
  for (const { line, reason } of reasons) {
    if (going.reasons.length < TOLD) going.reasons.push({ line: going.lines + line, reason });
  }
  going.lines += lines;
}

const number = (n) => n.toLocaleString("en");
const counted = (n) => `${number(n)} ${n === 1 ? "line" : "lines"}`;
const size = (bytes) => bytes < 1e6 ? `${number(Math.ceil(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

function show() {
  const bar = find("brought"), busy = Boolean(going && going.running);
  bar.hidden = !going;
  if (going) bar.value = going.file.size ? going.offset / going.file.size : 1;
  find("bring").disabled = busy || !field.files.length || !format.value;
  find("bring").textContent = going && !going.over && !busy ? "Go on" : "Import";
  find("halt").hidden = !busy;
  find("set").hidden = format.value !== "prompts";
  for (const one of [field, format, setName]) one.disabled = busy;
  sync(find("report"), going ? report() : []);
}

function report() {
  const { file, offset, lines, imported, known, refused, error, over, running } = going;
  const head = over ? "Done" : running ? "Importing" : "Not finished";
  const said = `${head}: ${size(offset)} of ${size(file.size)}, ${counted(lines)}. ` +
    `${number(imported)} new, ${number(known)} known already, ${number(refused)} refused.`;
  return [["p", { class: "rl-strong" }, said],
    ...(error ? [["p", { class: "rl-wrong", role: "alert" }, `${error} What stands here is stored; go on when it is mended.`]] : []),
    ...bad()];
}

function bad() {
  const { reasons, refused } = going;
  if (!refused) return [];
  const title = refused > reasons.length ? `The first ${reasons.length} refused lines` : "Refused lines";
  return [["div", { class: "rl-scroll rl-bad", tabindex: "0", role: "group", "aria-label": title },
    ["table", { class: "rl-table" },
      ["thead", {}, ["tr", {}, ["th", { scope: "col" }, "Line"], ["th", { scope: "col" }, "Why it was refused"]]],
      ["tbody", {}, ...reasons.map(({ line, reason }) =>
        ["tr", {}, ["th", { scope: "row" }, number(line)], ["td", {}, reason]])]]]];
}

field.addEventListener("change", async () => {
  going = null;
  const [file] = field.files;
  format.value = "";
  show();
  if (!file) return;
  const told = await ask("format", { lines: await base64(file.slice(0, HEAD)) });
  // Whoever has chosen meanwhile knows better.
  if (field.files[0] !== file || going || format.value) return;
  if (told.format) format.value = told.format;
  else sync(find("report"), [["p", { class: "rl-wrong", role: "alert" },
    told.error || "The first line is of no format that is known here. Choose one to see what is wrong with each line."]]);
  find("bring").disabled = !format.value;
  find("set").hidden = format.value !== "prompts";
});
for (const one of [format, setName]) one.addEventListener("change", () => { going = null; show(); });

find("bring").addEventListener("click", () => {
  if (!going || going.over) {
    const person = (props.value && props.value.person) || null;
    going = { file: field.files[0], offset: 0, lines: 0, imported: 0, known: 0, refused: 0, reasons: [], piece: FIRST };
    going.terms = { person, format: format.value, set: setName.value || "default" };
  }
  going.over = false; going.running = true;
  bring();
});
find("halt").addEventListener("click", () => { stopped = true; });

find("take").addEventListener("click", async () => {
  const told = find("taken");
  const answer = await ask("ticket", { format: find("wanted").value });
  if (answer.error) return sync(told, [["p", { class: "rl-wrong", role: "alert" }, answer.error]]);
  const link = document.createElement("a");
  link.href = `take/${answer.ticket}`;
  link.download = "";
  link.click();
  follow(answer.ticket, told);
});

// How far the download is, until it is over.
async function follow(ticket, told) {
  const at = await ask("taken", { ticket });
  const said = `${counted(at.lines || 0)}, ${size(at.bytes || 0)}`;
  if (at.error || at.state === "failed") {
    const why = at.error || at.why || "The download broke off.";
    return sync(told, [["p", { class: "rl-wrong", role: "alert" }, `${why} The file is not whole.`]]);
  }
  sync(told, [["p", { class: "rl-strong" }, at.state === "done" ? `Downloaded: ${said}.` : `Downloading: ${said}.`]]);
  if (at.state !== "done") setTimeout(follow, 500, ticket, told);
}
show();

// Builds and updates elements from trees of plain nodes: a text, or [tag, attributes, ...children].
// Text is only ever set as text, and only these tags and attributes exist, so nothing in a tree can
// run, load or link anywhere.
const TAGS = new Set(("article aside b br button code dd details div dl dt em h1 h2 h3 header li " +
  "ol p progress section small span strong summary table tbody td textarea th thead tr ul").split(" "));
// Of drawings only shapes and their words: nothing that loads, links, animates or holds HTML.
const SHAPES = new Set("circle g line polyline rect svg text title".split(" "));
const NAMES = /^(class|title|role|tabindex|type|disabled|inert|open|value|max|rows|maxlength|placeholder|scope|colspan|lang|dir|aria-[a-z]+|data-[a-z]+)$/;
const DRAWN = /^(class|role|aria-[a-z]+|viewBox|points|text-anchor|x|y|x1|x2|y1|y2|cx|cy|r|width|height)$/;
const SVG = "http://www.w3.org/2000/svg";

function make(tree) {
  if (typeof tree === "string") return document.createTextNode(tree);
  const [tag, attributes, ...children] = tree;
  const shape = SHAPES.has(tag);
  if (!shape && !TAGS.has(tag)) throw new Error("no such node: " + tag);
  const node = shape ? document.createElementNS(SVG, tag) : document.createElement(tag);
  dress(node, attributes);
  for (const child of children) node.appendChild(make(child));
  return node;
}

function dress(node, attributes) {
  for (const name of Object.keys(attributes)) {
    if (!(node.namespaceURI === SVG ? DRAWN : NAMES).test(name)) throw new Error("no such attribute: " + name);
    if (node.getAttribute(name) !== attributes[name]) node.setAttribute(name, attributes[name]);
  }
}

// Makes `parent` show `trees`, keeping every element that need not change: what is open stays open,
// what has the focus keeps it, and a selection survives.
function sync(parent, trees) {
  trees.forEach((tree, i) => {
    const old = parent.childNodes[i];
    if (!old) parent.appendChild(make(tree));
    else if (!update(old, tree)) parent.replaceChild(make(tree), old);
  });
  while (parent.childNodes.length > trees.length) parent.lastChild.remove();
}

function update(old, tree) {
  if (typeof tree === "string") {
    if (old.nodeType !== Node.TEXT_NODE) return false;
    if (old.data !== tree) old.data = tree;
    return true;
  }
  const [tag, attributes, ...children] = tree;
  if (old.nodeType !== Node.ELEMENT_NODE || old.localName !== tag) return false;
  for (const { name } of [...old.attributes]) {
    // Whether a section is open is the reader's choice.
    if (!(name in attributes) && name !== "open") old.removeAttribute(name);
  }
  const { open, ...rest } = attributes;
  dress(old, rest);
  sync(old, children);
  return true;
}

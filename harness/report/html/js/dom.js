// Elements are made here and nowhere else. Text enters as text nodes, so a name cannot become markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
const byId = (id) => document.getElementById(id);

// A name may be broken behind its separators, and nowhere else.
const soft = (name) => name.split(/(?<=[-_./:])(?=[^-_./:])/).flatMap((part, index) => (index ? [h("wbr"), part] : [part]));

// A sentence in which no option such as --repetitions is broken.
const whole = (sentence) => sentence.split(/(--[a-z-]+)/).map((part) => (part.startsWith("--") ? h("span", { class: "whole" }, part) : part));

// A list of names and values.
function facts(pairs, className = "facts") {
  return h("dl", { class: className }, pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

// Call `draw(width)` now and whenever the width of `node` changes.
function onWidth(node, draw) {
  let last = 0;
  const run = () => {
    const width = Math.floor(node.clientWidth);
    if (width > 0 && width !== last) draw((last = width));
  };
  new ResizeObserver(() => requestAnimationFrame(run)).observe(node);
  run();
}

// The images that a cell did worst on, with what is there (solid) and what was detected (dashed).

function worstImages(images) {
  return h("figure", { class: "chart wide" },
    h("figcaption", {}, h("strong", {}, "Worst images"), h("span", { class: "quiet small" }, " solid, named above: annotated; dashed, named below: detected with a score of at least 0.3")),
    h("div", { class: "gallery" }, images.map(worstImage)));
}

function worstImage(image) {
  // Names of annotations stand above their boxes, those of detections inside at the bottom, so that both can be read.
  const place = { truth: (y) => Math.max(10, y - 3), found: (y, height) => Math.min(image.height - 3, y + height - 4) };
  const box = ([x, y, w, height, name], kind) => s("g", { class: kind },
    s("rect", { x, y, width: w, height }), s("text", { x: Math.max(0, x) + 2, y: place[kind](y, height) }, name));
  const svg = s("svg", { viewBox: `0 0 ${image.width} ${image.height}`, role: "img", "aria-label": `${image.name}: ${image.told}` },
    s("image", { href: image.data, width: image.width, height: image.height }),
    image.truth.map((one) => box(one, "truth")), image.found.map((one) => box(one, "found")));
  return h("div", {}, svg, h("p", { class: "small quiet" }, `${image.name}: ${image.told}`));
}

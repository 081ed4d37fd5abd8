// Draws what Python says and reports what was done. Messages to Python: {type: "shown"}, {type: "gone"},
// {type: "pressed", name}, {type: "set", name, value}, {type: "picked", name}. It decides nothing.
function element(tag, props = {}, ...children) {
  const made = Object.assign(document.createElement(tag), props);
  made.append(...children);
  return made;
}

function button(model, each) {
  const made = element("button", { className: "jupyter-button" });
  made.onclick = () => model.send({ type: "pressed", name: each.name });
  made.dataset.name = each.name;
  const update = (now) => { made.textContent = now.label; made.disabled = !now.enabled; };
  return { node: made, update };
}

function slider(model, each) {
  const input = element("input", { type: "range" });
  const output = element("output");
  input.dataset.name = each.name;
  input.oninput = () => { output.textContent = `${input.value}${each.unit}`; };
  input.onchange = () => model.send({ type: "set", name: each.name, value: Number(input.value) });
  const update = (now) => {
    if (input.matches(":active")) return; // not under the learner's hand
    Object.assign(input, { min: now.min, max: now.max, step: now.step, value: now.value });
    output.textContent = `${now.value}${now.unit}`;
  };
  return { node: element("label", { className: "mesh-control" }, each.label, input, output), update };
}

function text(model, each) {
  const input = element("input", { type: "text", spellcheck: false, placeholder: each.hint, size: each.width });
  input.dataset.name = each.name;
  input.onchange = () => model.send({ type: "set", name: each.name, value: input.value });
  input.onkeydown = (event) => event.stopPropagation(); // JupyterLab's shortcuts are not meant
  const update = (now) => { if (input !== document.activeElement) input.value = now.value; };
  return { node: element("label", { className: "mesh-control" }, each.label, input), update };
}

const MAKERS = { button, slider, text };

function bar(model) {
  const node = element("div", { className: "mesh-bar" });
  let made = new Map();
  const update = () => {
    const wanted = model.get("controls");
    if (wanted.map((each) => each.name).join() !== [...made.keys()].join()) {
      made = new Map(wanted.map((each) => [each.name, MAKERS[each.kind](model, each)]));
      node.replaceChildren(...[...made.values()].map((each) => each.node));
    }
    wanted.forEach((each) => made.get(each.name).update(each));
  };
  return { node, update };
}

function picture(model) {
  const node = element("div", { className: "mesh-body" });
  const pick = (event) => {
    const target = event.target.closest("[data-pick]");
    if (target && (event.type === "click" || event.key === "Enter")) model.send({ type: "picked", name: target.dataset.pick });
  };
  node.addEventListener("click", pick);
  node.addEventListener("keydown", pick);
  return { node, update: () => { node.innerHTML = model.get("html"); } };
}

function render({ model, el }) {
  const controls = bar(model);
  const body = picture(model);
  el.classList.add("mesh-view");
  el.append(controls.node, body.node);
  model.on("change:controls", controls.update);
  model.on("change:html", body.update);
  controls.update();
  body.update();
  model.send({ type: "shown" });
  return () => {
    model.off("change:controls", controls.update);
    model.off("change:html", body.update);
    model.send({ type: "gone" });
  };
}

export default { render };

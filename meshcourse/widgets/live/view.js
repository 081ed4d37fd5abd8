// Draws what Python says and reports what was pressed. Messages to Python: {type: "shown"}, {type: "gone"},
// {type: "pressed", name}, {type: "set", name, value}. It decides nothing.
function control(model, each) {
  const label = document.createElement("label");
  label.className = "mesh-control";
  if (each.kind === "button") {
    const button = document.createElement("button");
    button.className = "jupyter-button";
    button.textContent = each.label;
    button.dataset.name = each.name;
    button.disabled = !each.enabled;
    button.onclick = () => model.send({ type: "pressed", name: each.name });
    return button;
  }
  const slider = document.createElement("input");
  Object.assign(slider, { type: "range", min: each.min, max: each.max, step: each.step, value: each.value });
  slider.dataset.name = each.name;
  const shown = document.createElement("output");
  shown.textContent = `${each.value}${each.unit}`;
  slider.oninput = () => { shown.textContent = `${slider.value}${each.unit}`; };
  slider.onchange = () => model.send({ type: "set", name: each.name, value: Number(slider.value) });
  label.append(each.label, slider, shown);
  return label;
}

function render({ model, el }) {
  const bar = document.createElement("div");
  const body = document.createElement("div");
  el.classList.add("mesh-view");
  bar.className = "mesh-bar";
  body.className = "mesh-body";
  el.append(bar, body);
  const controls = () => {
    if (bar.querySelector("input:active")) return; // not under the learner's hand
    bar.replaceChildren(...model.get("controls").map((each) => control(model, each)));
  };
  const picture = () => { body.innerHTML = model.get("html"); };
  model.on("change:controls", controls);
  model.on("change:html", picture);
  controls();
  picture();
  model.send({ type: "shown" });
  return () => {
    model.off("change:controls", controls);
    model.off("change:html", picture);
    model.send({ type: "gone" });
  };
}

export default { render };

// The row of buttons below a run that failed. It is drawn into the static end state of that run, where the line stands
// that says what to type, and goes again when the kernel closes its model. No output of the notebook holds this widget:
// a file that is saved meanwhile has the line.

function element(kind, style, more = {}) {
  const made = Object.assign(document.createElement(kind), more);
  made.style.cssText = `font:inherit;color:inherit;${style}`;
  return made;
}

const FRAME = "background:transparent;border:1px solid #808590;border-radius:3px;padding:3px 10px;margin:2px 8px 2px 0;";

function retryButton(model) {
  const button = element("button", FRAME + "cursor:pointer", { textContent: "Retry failed", type: "button" });
  button.onclick = () => {
    button.disabled = true;
    button.textContent = "Starting";
    model.send({ ask: "retry" });
  };
  model.on("msg:custom", (message) => {
    if (!message.refused) return;
    button.disabled = false;
    button.textContent = "Retry failed";
  });
  return button;
}

function menu(names) {
  const select = element("select", FRAME);
  const choices = [["look at a task\u2026", ""], ...names.map((name) => [name, name])];
  for (const [text, value] of choices) {
    const option = element("option", "color:#111827;background:#ffffff", { textContent: text, value });
    select.append(option);
  }
  return select;
}

function picker(model) {
  const names = model.get("names");
  const typed = { placeholder: "name of a task", type: "text" }; // where they are too many for a menu, none is sent
  const made = names.length ? menu(names) : element("input", FRAME, typed);
  made.onchange = () => model.send({ ask: "look", task: made.value });
  return made;
}

function rowOf(model) {
  const row = element("div", "margin:6px 0 2px 0");
  const panel = element("div", "");
  const show = () => {
    panel.innerHTML = model.get("panel"); // made by the kernel, every string of a user escaped
  };
  model.on("change:panel", show);
  show();
  row.append(retryButton(model), picker(model), panel);
  return row;
}

function initialize({ model }) {
  if (model.get("drawn")) return; // the page was loaded again: it would not hear of what runs from here
  model.set("drawn", true);
  model.save_changes();
  const row = rowOf(model);
  let line = [];
  const draw = () => {
    if (row.isConnected) return;
    const place = document.querySelector(`[data-flowdsl-run="${CSS.escape(model.get("run"))}"]`);
    if (!place) return;
    line = [...place.childNodes];
    place.replaceChildren(row);
  };
  const watcher = new MutationObserver(draw); // outputs are painted again: when the end is sent twice, when one scrolls
  watcher.observe(document.body, { childList: true, subtree: true });
  draw();
  return () => {
    watcher.disconnect();
    if (row.isConnected) row.replaceWith(...line);
  };
}

export default { initialize };

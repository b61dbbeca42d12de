// What "See it think" adds to the board (marks over the squares) and the strip of the game's moves.
window.kx.xiangqiThink ??= (() => {
  const kx = window.kx, NS = "http://www.w3.org/2000/svg";
  const make = (tag, attributes, parent) => {
    const node = document.createElementNS(NS, tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return parent.appendChild(node);
  };
  const role = (color) => `var(--kx-${/^[a-z]+$/.test(color) ? color : "ink"})`;

  const marks = (element, props, watch) => { // rings and notes of the scene's `marks`; these boards are never turned
    const svg = element.querySelector(".xq-board"), layer = make("g", { class: "hints" }, svg);
    const draw = () => {
      let scene = null;
      try { scene = JSON.parse(props.value || "null"); } catch { return; }
      layer.replaceChildren();
      for (const { at, kind, color, weight, text } of scene?.marks || []) {
        const cx = "abcdefghi".indexOf(at[0]) * 10, cy = (9 - at[1]) * 10, stroke = role(color);
        if (kind === "glow") make("circle", { cx, cy, r: 5.2, style: `fill: ${stroke}; opacity: ${weight}` }, layer);
        else make("circle", { cx, cy, r: 5, style: `fill: none; stroke: ${stroke}; stroke-width: .9; stroke-dasharray: 2 1.2; opacity: ${weight}` }, layer);
        if (text) make("text", { x: cx + 3.6, y: cy - 3, style: `font: 700 3px system-ui; fill: ${stroke}; stroke: var(--kx-surface); stroke-width: .9; paint-order: stroke; text-anchor: middle` }, layer).textContent = kx.pick(text);
      }
      svg.append(layer); // over the pieces
    };
    watch("value", draw);
    kx.listeners.add(() => element.isConnected && draw());
    draw();
  };

  const strip = (element, props, trigger, watch) => { // the moves as buttons, the ply shown marked, the line drawn
    const list = element.querySelector(".xt-moves");
    const draw = () => {
      let game = null;
      try { game = JSON.parse(props.value || "null"); } catch { return; }
      if (!game) return;
      const parts = [];
      const button = (ply, text, title) => {
        const b = Object.assign(document.createElement("button"), { type: "button", textContent: text, title });
        if (ply === game.at) b.setAttribute("aria-current", "true");
        if (ply > game.left) b.classList.add("gone");
        b.addEventListener("click", () => trigger("pick", { x: ply, y: 0 }));
        return b;
      };
      parts.push(button(0, kx.pick(game.start), ""));
      game.moves.forEach(({ word, iccs }, i) => {
        if (i === game.left) parts.push(Object.assign(document.createElement("span"), { className: "line", title: kx.pick(game.line) }));
        const made = button(i + 1, kx.pick(word), iccs);
        if (i % 2) { parts.push(made); return; }
        const pair = document.createElement("span"); // a number stays in the line of its move
        pair.append(Object.assign(document.createElement("i"), { textContent: `${i / 2 + 1}.` }), made);
        parts.push(pair);
      });
      list.replaceChildren(...parts);
      const here = list.querySelector("[aria-current]");
      if (here) list.scrollTop = Math.max(0, here.offsetTop - list.clientHeight / 2);
    };
    watch("value", draw);
    kx.listeners.add(() => element.isConnected && draw());
    draw();
  };
  document.addEventListener("click", (event) => { // gradio also "selects" a tab that it draws: only a click chooses
    const tab = event.target.closest?.("#think-lenses [role=tab]");
    if (tab) document.getElementById(`open-${tab.dataset.tabId}`)?.click();
  });
  return { marks, strip };
})();

// The panel beside the board: draws the value of ui/panel.py; every button asks the server by triggering "act".
window.kx.xiangqiPanel ??= (() => {
  const kx = window.kx, { tr, node, reader } = kx.parts;
  const ICONS = { // strokes in a box of 24
    undo: "M9 5 4 10l5 5M4 10h10a5 5 0 0 1 0 10h-3", redo: "m15 5 5 5-5 5M20 10H10a5 5 0 0 0 0 10h3",
    hint: "M9 18h6M10 21h4M8.5 15a6 6 0 1 1 7 0v1h-7z", resign: "M6 21V4M6 5h11l-2.5 3.5L17 12H6",
    flip: "M7 4v15M4 16l3 3 3-3M17 20V5M14 8l3-3 3 3", run: "M7 5v14l12-7z", pause: "M8 5v14M16 5v14", step: "M6 5v14l9-7zM19 5v14",
    sound: "M4 10v4h4l5 4V6L8 10zM16.5 9a4 4 0 0 1 0 6M19 6.5a8 8 0 0 1 0 11", mute: "M4 10v4h4l5 4V6L8 10zM16 9.5l5 5M21 9.5l-5 5",
    western: "M8 20h8M9 17h6M9 17c0-5 1-6 1-8a2.6 2.6 0 1 1 4 0c0 2 1 3 1 8", coordinates: "M5 4v16h15M9 16h2M13 16h2M17 16h2M5 12h2M5 8h2",
    first: "M18 5v14l-9-7zM6 5v14", last: "M6 5v14l9-7zM18 5v14",
  };
  const NAMES = {
    undo: tr("悔棋", "Undo"), redo: tr("重走", "Redo"), hint: tr("提示", "Hint"), resign: tr("认输", "Resign"), run: tr("走", "Go"),
    pause: tr("暂停", "Pause"), step: tr("走一步", "Step"), flip: tr("翻转", "Flip"), sound: tr("声音", "Sound"), western: tr("西式", "Western"),
    coordinates: tr("坐标", "Labels"), first: tr("回到开局", "To the start"), last: tr("到最后一着", "To the end"),
  };
  const icon = (key) => `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${ICONS[key]}"/></svg>`;

  return (element, props, trigger, watch) => {
    const root = element.querySelector(".xq-panel"), buttons = {};
    let value = null;
    const ask = (request) => { kx.xiangqi?.moved(); trigger("act", request); };
    const button = (key, parent, request, small) => {
      const made = node("button", small ? "small" : "", "", parent);
      made.type = "button";
      made.innerHTML = icon(key);
      if (small) made.title = NAMES[key]; else node("span", "", NAMES[key], made);
      made.setAttribute("aria-label", NAMES[key]);
      made.addEventListener("click", () => ask(typeof request === "function" ? request() : request));
      return (buttons[key] = made);
    };

    // ---- the parts, top to bottom
    const status = node("p", "status", "", root);
    status.setAttribute("role", "status");
    const bars = node("div", "bars", "", root), tools = node("div", "tools", "", bars);
    for (const key of ["undo", "redo", "hint", "resign"]) button(key, tools, { do: key });
    button("run", tools, () => ({ do: value.running ? "pause" : "run" }));
    button("step", tools, { do: "step" });
    const looks = node("div", "tools quiet", "", bars);
    for (const name of ["flip", "western", "coordinates", "sound"]) button(name, looks, { do: "look", name });

    const fresh = node("div", "fresh", "", root);
    const choice = (label, parent) => {
      const box = node("label", "", "", parent);
      node("span", "", label, box);
      return node("select", "", "", box);
    };
    const seats = { w: choice(tr("红方", "Red"), fresh), b: choice(tr("黑方", "Black"), fresh) };
    for (const [side, select] of Object.entries(seats)) select.addEventListener("change", () => ask({ do: "seat", side, player: select.value }));
    const gift = choice(tr("让子", "Handicap"), fresh);
    gift.title = tr("惯例：让子的一方执红先走；也可连先手一并让出", "By custom whoever gives pieces is red and moves first; the move can be given too");
    const begin = node("div", "begin", "", root);
    node("span", "", tr("开新局", "New game"), begin);
    for (const [who, label] of [["red", tr("我执红", "I am red")], ["black", tr("我执黑", "I am black")], ["both", tr("双方都是我", "Both by me")], ["none", tr("看模型对弈", "Watch models")]]) {
      const made = node("button", "", label, begin);
      made.type = "button"; made.dataset.who = who;
      made.addEventListener("click", () => {
        ask({ do: "new", who, gift: gift.value });
        document.querySelector(".xq-board")?.scrollIntoView({ block: "nearest", behavior: "smooth" });
      });
    }

    const shelf = node("select", "shelf", "", begin);
    shelf.setAttribute("aria-label", tr("取回旧局", "earlier games"));
    shelf.addEventListener("change", () => { if (shelf.value) ask({ do: "fetch", index: +shelf.value }); });

    const lower = node("div", "lower", "", root), head = node("div", "head", "", lower);
    node("b", "", tr("着法", "Moves"), head);
    button("first", head, { do: "first" }, true);
    button("last", head, { do: "last" }, true);
    const list = node("ol", "list", "", lower);
    node("p", "empty", tr("着法会列在这里；点一着就回到那里，再走别的就成分支。", "Moves appear here: click one to go back to it, play another to branch."), lower);
    const curve = node("div", "curve", "", lower);

    // ---- drawing
    const option = (select, key, label, disabled) => {
      const made = node("option", "", label, select);
      made.value = key; made.disabled = !!disabled;
    };
    const fill = () => {
      for (const [side, select] of Object.entries(seats)) {
        if (!select.length) for (const [key, label, disabled] of value.players) option(select, key, label, disabled);
        select.value = value.seats[side];
      }
      shelf.hidden = !value.shelf.length;
      if (shelf.dataset.said !== JSON.stringify(value.shelf)) {
        shelf.dataset.said = JSON.stringify(value.shelf);
        shelf.replaceChildren();
        option(shelf, "", tr("取回旧局…", "Earlier games …"));
        value.shelf.forEach((label, i) => option(shelf, i, label));
      }
      shelf.value = "";
      if (!gift.length) for (const [key, label] of [["", tr("不让子", "none")], ...value.gifts]) option(gift, key, label);
      if (gift.dataset.given !== value.given) gift.value = gift.dataset.given = value.given; // of the game shown; a choice stays until the next
    };
    const toolbar = () => {
      for (const key of ["undo", "redo", "hint", "resign", "step"]) buttons[key].disabled = !value.can[key];
      buttons.run.disabled = !value.can.run && !value.running;
      const shown = value.running ? "pause" : "run";
      if (buttons.run.dataset.shown !== shown) {
        buttons.run.dataset.shown = shown;
        buttons.run.innerHTML = icon(shown);
        node("span", "", NAMES[shown], buttons.run);
        buttons.run.setAttribute("aria-label", NAMES[shown]);
      }
      buttons.sound.innerHTML = icon(value.sound ? "sound" : "mute");
      node("span", "", NAMES.sound, buttons.sound);
      for (const name of ["flip", "western", "coordinates", "sound"]) buttons[name].setAttribute("aria-pressed", value[name]);
    };
    const move = ([id, chinese, wxf, others], parent) => {
      const made = node("button", "move", "", parent);
      made.type = "button"; made.dataset.node = id;
      node("span", "", chinese, made);
      node("small", "", wxf, made);
      if (!others.length) return;
      const box = node("span", "others", "", parent);
      for (const [other, word] of others) {
        const branch = node("button", "", word, box);
        branch.type = "button"; branch.dataset.node = other;
        branch.title = tr("换到这一分支", "go to this branch");
      }
    };
    const rows = () => {
      const pairs = [], skip = value.first % 2;
      value.line.forEach((ply, i) => { const at = (i + skip) >> 1; (pairs[at] ??= [null, null])[(i + skip) % 2] = ply; });
      pairs.forEach((pair, i) => { // rows that say the same stay as they are
        const key = JSON.stringify(pair), old = list.children[i];
        if (old?.dataset.key === key) return;
        const row = document.createElement("li");
        row.dataset.key = key;
        node("span", "number", `${(value.first >> 1) + i + 1}.`, row);
        for (const ply of pair) { const cell = node("div", "", "", row); if (ply) move(ply, cell); }
        if (old) old.replaceWith(row); else list.append(row);
      });
      while (list.children.length > pairs.length) list.lastChild.remove();
      list.classList.toggle("empty", !pairs.length);
      for (const made of list.querySelectorAll(".move")) made.toggleAttribute("aria-current", +made.dataset.node === value.at);
      const here = list.querySelector("[aria-current]");
      if (here) {
        const top = here.offsetTop; // from the list, which is positioned
        if (top < list.scrollTop || top + here.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = top - list.clientHeight / 2;
      } else list.scrollTop = 0;
    };
    const graph = () => {
      const known = value.values.map((v, i) => [i, v]).filter(([, v]) => typeof v === "number");
      curve.hidden = known.length < 2;
      if (curve.hidden) return;
      const last = value.values.length - 1, x = (i) => ((100 * i) / Math.max(1, last)).toFixed(2), y = (v) => (20 - 18 * v).toFixed(2);
      const path = known.map(([i, v], k) => `${k ? "L" : "M"}${x(i)} ${y(v)}`).join("");
      const nodes = [0, ...value.line.map(([id]) => id)], here = nodes.indexOf(value.at);
      const area = `${path}L${x(known.at(-1)[0])} 20L${x(known[0][0])} 20Z`;
      curve.innerHTML = `<svg viewBox="0 0 100 40" preserveAspectRatio="none" role="img"><path class="area" d="${area}"/><path class="zero" d="M0 20H100"/><path class="line" d="${path}"/><path class="here" d="M${x(here)} 0V40"/></svg>`;
      node("span", "", tr("红优", "red ahead"), curve);
      node("span", "", tr("黑优", "black ahead"), curve);
      curve.firstChild.setAttribute("aria-label", tr("红方期望得分的曲线", "red's expected score, move by move"));
    };
    curve.addEventListener("click", (event) => {
      const box = curve.getBoundingClientRect(), nodes = [0, ...value.line.map(([id]) => id)];
      ask({ do: "travel", node: nodes[Math.round(((event.clientX - box.left) / box.width) * (nodes.length - 1))] });
    });
    list.addEventListener("click", (event) => {
      const made = event.target.closest("[data-node]");
      if (made) ask({ do: "travel", node: +made.dataset.node });
    });
    reader(props, watch, (next) => {
      value = next;
      if (status.dataset.said !== value.status) { status.dataset.said = value.status; status.textContent = value.status; }
      root.classList.toggle("over", value.over);
      fill(); toolbar(); rows(); graph();
    });
  };
})();

// The board of xiangqi as one SVG: draws the scene of ui/board.py, lets a move be made by click, drag, touch or keys.
// It never decides what is legal: it offers the moves that came with the scene, and the server has the last word.
window.kx.xiangqi ??= (() => {
  const kx = window.kx, NS = "http://www.w3.org/2000/svg", FILES = "abcdefghi", PATIENCE_MS = 1500, LOST_MS = 20_000;
  const FACES = { K: "帥", A: "仕", B: "相", N: "傌", R: "俥", C: "炮", P: "兵", k: "將", a: "士", b: "象", n: "馬", r: "車", c: "砲", p: "卒" };
  const NAMES = { k: ["将帅", "king"], a: ["士", "advisor"], b: ["象", "elephant"], n: ["马", "horse"], r: ["车", "rook"], c: ["炮", "cannon"], p: ["兵卒", "soldier"] };
  const ICONS = { // western faces, drawn about the piece's centre
    k: "M-2.7 2.7h5.4v-1h-5.4zM-2.8 1.1-3.3-1.9-1.6-.2 0-3.1 1.6-.2 3.3-1.9 2.8 1.1z",
    a: "M0-3.2C1-2.4 2-2.1 2.8-2.1 2.9.6 1.9 2.4 0 3.3-1.9 2.4-2.9.6-2.8-2.1-2-2.1-1-2.4 0-3.2zM-.4-1.7v1.3h-1.3v.8h1.3v1.7h.8V.4h1.3v-.8H.4v-1.3z",
    b: "M-1.2-2.3C-2.4-3.1-3.7-2-3.5-.3-3.4 1-2.4 1.4-1.5.8L-1 1.5C-.8 2.7-.6 3.3.4 3.3 1.3 3.3 1.7 2.7 1.6 1.9H1C1 2.5.4 2.6.3 2.1L.7 1.3 1.5.8C2.4 1.4 3.4 1 3.5-.3 3.7-2 2.4-3.1 1.2-2.3.6-2.8-.6-2.8-1.2-2.3zM-.9-.7h.6v-.6h-.6zM.3-.7h.6v-.6H.3z",
    n: "M-2.1 3.1H2.5C2.7.8 2.6-2.5-.3-2.8L-.8-3.5-1.3-2.4C-2.2-1.6-2.6-.6-3.1.5-3.2 1.1-2.6 1.6-2 1.2-1.5.8-.9.6-.2.5-.5 1.5-1.9 1.8-2.1 3.1zM-1.2-1h.6v-.6h-.6z",
    r: "M-2.7 3h5.4V1.9L1.8 1.3V-1L2.6-1.6V-3H1.5v.8H.6V-3H-.6v.8h-.9V-3H-2.6v1.4L-1.8-1v2.3l-.9.6z",
    c: "M-3.1.6C-3.6-.3-3.2-1.1-2.4-1.5L2.4-3.2 3.2-1.2-.3.6a1.8 1.8 0 1 1-2.8 0zM-1.7 1a.8.8 0 1 0 .01 0zM.6 1.6 2.9 3H.2z",
    p: "M0-3.2A1.5 1.5 0 0 1 .9-.5H1.5V.3H1C1.2 1 1.7 1.4 2.3 1.9V3h-4.6V1.9C-1.7 1.4-1.2 1-1 .3h-.5v-.8h.6A1.5 1.5 0 0 1 0-3.2z",
  };
  const isRed = (code) => code === code.toUpperCase();
  const name = (s) => FILES[s % 9] + Math.floor(s / 9);
  const square = (text) => 9 * +text[1] + FILES.indexOf(text[0]);
  const tr = (zh, en) => kx.pick(kx.parts.tr(zh, en));
  const make = (tag, attributes, parent) => {
    const node = document.createElementNS(NS, tag);
    for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
    parent?.append(node);
    return node;
  };

  const moved = () => { // what is played from a link on is kept by the browser: the address no longer names the table
    if (/[?&](red|black|fen|moves)=/.test(location.search)) history.replaceState(null, "", "?tab=xiangqi");
  };

  // ---- sounds: a wooden knock, made of a short burst of filtered noise
  let audio = null;
  const burst = (at, pitch, loud, length) => {
    const source = audio.createBufferSource(), filter = audio.createBiquadFilter(), gain = audio.createGain();
    const buffer = audio.createBuffer(1, audio.sampleRate * length, audio.sampleRate), data = buffer.getChannelData(0);
    for (let i = 0; i < data.length; i++) data[i] = (Math.random() * 2 - 1) * Math.exp(-i / (data.length / 7));
    Object.assign(filter, { type: "bandpass" }); filter.frequency.value = pitch; filter.Q.value = 3.5;
    source.buffer = buffer; gain.gain.value = loud;
    source.connect(filter).connect(gain).connect(audio.destination);
    source.start(audio.currentTime + at);
  };
  const knock = (capture, check) => {
    if (!navigator.userActivation?.hasBeenActive) return; // a page that nobody has touched stays silent
    audio ??= new AudioContext();
    burst(0, capture ? 620 : 900, capture ? 2.2 : 1.5, .09);
    if (capture) burst(.05, 380, 1.6, .12);
    if (check) burst(.12, 1900, .8, .2);
  };

  // ---- what lies under the pieces
  const cross = (x, y, layer) => { // the corners that mark the places of cannons and soldiers
    for (const [sx, sy] of [[1, 1], [1, -1], [-1, 1], [-1, -1]]) {
      if (x + sx * 5 < 0 || x + sx * 5 > 80) continue;
      make("path", { d: `M${x + sx * .9} ${y + sy * 2.7}v${-sy * 1.8}h${sx * 1.8}`, class: "fine" }, layer);
    }
  };
  const ground = (svg) => {
    svg.setAttribute("viewBox", "-8 -9 96 108");
    make("rect", { x: -8, y: -9, width: 96, height: 108, rx: 2.2, class: "wood" }, svg);
    const layer = make("g", { class: "lines" }, svg);
    make("rect", { x: -1.5, y: -1.5, width: 83, height: 93, class: "frame" }, layer);
    let d = "M0 0H80V90H0Z";
    for (let r = 1; r < 9; r++) d += `M0 ${r * 10}H80`;
    for (let f = 1; f < 8; f++) d += `M${f * 10} 0V40M${f * 10} 50V90`;
    make("path", { d }, layer);
    make("path", { d: "M30 0 50 20M50 0 30 20M30 70 50 90M50 70 30 90" }, layer);
    for (const x of [10, 70]) for (const y of [20, 70]) cross(x, y, layer);
    for (let x = 0; x <= 80; x += 20) for (const y of [30, 60]) cross(x, y, layer);
    make("text", { x: 20, y: 47.2, class: "river" }, layer).textContent = "楚 河";
    make("text", { x: 60, y: 47.2, class: "river" }, layer).textContent = "漢 界";
    return Object.fromEntries(["coordinates", "marks", "pieces", "arrows", "hints"].map((key) => [key, make("g", { class: key }, svg)]));
  };
  const paint = (group, code, western) => {
    group.replaceChildren();
    group.setAttribute("class", `piece ${isRed(code) ? "red" : "black"}${western ? " western" : ""}`);
    make("circle", { r: 4.62, cy: .55, class: "shade" }, group);
    make("circle", { r: 4.6, class: "rim" }, group);
    make("circle", { r: 4.25, class: "face" }, group);
    make("circle", { r: 3.75, class: "ring" }, group);
    if (western) make("path", { d: ICONS[code.toLowerCase()], class: "icon", "fill-rule": "evenodd" }, group);
    else make("text", { y: 1.98, class: "glyph" }, group).textContent = FACES[code];
  };

  const board = (element, props, trigger, watch) => {
    const svg = element.querySelector(".xq-board"), layers = ground(svg), find = (what) => element.querySelector(what);
    const pieces = new Set(); // {code, at, node}
    let scene = null, held = -1, cursor = 4, drag = null, waiting = false, asked = null, heard = null;
    const spot = (s) => (scene?.flip ? [(8 - (s % 9)) * 10, Math.floor(s / 9) * 10] : [(s % 9) * 10, (9 - Math.floor(s / 9)) * 10]);
    const put = (piece, x, y) => { piece.node.style.transform = `translate(${x}px, ${y}px)`; };
    const on = (s) => [...pieces].find((p) => p.at === s);
    const goals = (s) => (s < 0 || waiting ? [] : (scene.legal[name(s)] || "").match(/../g) || []).map(square);
    const remove = (piece) => { pieces.delete(piece); piece.node.classList.add("gone"); setTimeout(() => piece.node.remove(), 220); };

    const arrange = (want, western) => { // each piece that must appear is one that must leave, if there is a like one
      const free = new Set(pieces), open = [];
      [...want].forEach((code, s) => {
        if (code === ".") return;
        const same = [...free].find((p) => p.at === s && p.code === code);
        if (same) free.delete(same); else open.push([code, s]);
      });
      for (const [code, s] of open) {
        const [x, y] = spot(s), far = (p) => Math.hypot((p.at % 9) - (s % 9), Math.floor(p.at / 9) - Math.floor(s / 9));
        let piece = [...free].filter((p) => p.code === code).sort((a, b) => far(a) - far(b))[0];
        if (piece) { free.delete(piece); layers.pieces.append(piece.node); } // the mover is on top
        else { piece = { code, node: make("g", {}, layers.pieces) }; pieces.add(piece); put(piece, x, y); piece.western = null; }
        piece.at = s;
      }
      free.forEach(remove);
      for (const piece of pieces) {
        if (piece.western !== western) { paint(piece.node, piece.code, western); piece.western = western; }
        if (drag?.piece !== piece) put(piece, ...spot(piece.at));
        piece.node.style.opacity = scene.fade[name(piece.at)] ?? "";
      }
    };
    const coordinates = () => {
      layers.coordinates.replaceChildren();
      if (!scene.coordinates) return;
      const say = (x, y, text) => { make("text", { x, y: y + 1.1 }, layers.coordinates).textContent = text; };
      for (let f = 0; f < 9; f++) {
        const file = scene.flip ? 8 - f : f, red = scene.western ? FILES[file] : "九八七六五四三二一"[file];
        const black = scene.western ? FILES[file] : String(file + 1);
        say(f * 10, -6.9, scene.flip ? red : black);
        say(f * 10, 96.9, scene.flip ? black : red);
      }
      if (scene.western) for (let r = 0; r < 10; r++) say(-6.4, (scene.flip ? r : 9 - r) * 10, String(r));
    };
    const corners = (s, kind) => {
      const [x, y] = spot(s), d = [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(([a, b]) => `M${x + a * 4.9} ${y + b * 3}v${b * 1.9}h${-a * 1.9}`).join("");
      make("path", { d, class: kind }, layers.marks);
    };
    const mark = () => {
      layers.marks.replaceChildren(); layers.hints.replaceChildren();
      const at = (s, r, kind, layer = layers.marks) => { const [cx, cy] = spot(s); make("circle", { cx, cy, r, class: kind }, layer); };
      if (scene.last) { corners(square(scene.last.slice(0, 2)), "last"); corners(square(scene.last.slice(2)), "last"); }
      if (scene.check) at(square(scene.check), 5.6, "check");
      if (held >= 0) at(held, 5.3, "held");
      for (const s of goals(held)) at(s, on(s) ? 5.1 : 1.35, on(s) ? "take" : "dot", layers.hints);
      const [x, y] = spot(cursor);
      make("rect", { x: x - 4.9, y: y - 4.9, width: 9.8, height: 9.8, rx: 1, class: "cursor" }, layers.hints);
      for (const piece of pieces) {
        piece.node.classList.toggle("up", piece.at === held);
        piece.node.classList.toggle("mine", !waiting && name(piece.at) in scene.legal);
      }
    };
    const arrows = () => {
      layers.arrows.replaceChildren();
      const written = []; // where labels lie
      for (const { move, weight, label, color } of [...scene.arrows].reverse()) {
        const [x0, y0] = spot(square(move.slice(0, 2))), [x1, y1] = spot(square(move.slice(2)));
        const long = Math.hypot(x1 - x0, y1 - y0), ux = (x1 - x0) / long, uy = (y1 - y0) / long, w = .6 + 1.1 * weight, head = w + 1.3;
        const xs = x0 + ux * 3, ys = y0 + uy * 3, xe = x1 - ux * (head * 1.5 + .6), ye = y1 - uy * (head * 1.5 + .6);
        const group = make("g", { class: "arrow", style: `--arrow: var(--kx-${/^[a-z]+$/.test(color) ? color : "ink"}); opacity: ${.5 + .45 * weight}` }, layers.arrows);
        make("path", { d: `M${xs} ${ys}L${xe} ${ye}`, "stroke-width": w }, group);
        make("path", { d: `M${xe - uy * head} ${ye + ux * head}L${x1 - ux * .6} ${y1 - uy * .6}L${xe + uy * head} ${ye - ux * head}Z`, class: "head" }, group);
        if (!label) continue;
        const short = long < 12; // the label lies at the arrow's head, or further back where another does; at a short one's side
        const place = (back) => [x1 - ux * back + (short ? 4 * Math.abs(uy) : 0), y1 - uy * back + 1 - (short ? 3 * Math.abs(ux) : 0)];
        const free = (back) => written.every(([x, y]) => Math.abs(x - place(back)[0]) > 6.5 || Math.abs(y - place(back)[1]) > 3.2);
        let back = short ? 5 : 7.4;
        while (!free(back) && back + 3.5 < long) back += 3.5;
        const [x, y] = place(back);
        written.push([x, y]);
        make("text", { x, y }, group).textContent = kx.pick(label);
      }
    };
    const expected = (side) => typeof scene.bar === "number" ? Math.round(50 * (1 + (side === "w" ? scene.bar : -scene.bar))) : null;
    const strips = () => {
      for (const end of ["top", "bottom"]) {
        const side = (end === "bottom") !== scene.flip ? "w" : "b", strip = find(`[data-end=${end}]`);
        strip.hidden = !scene.names.w;
        strip.className = `xq-strip ${side}${scene.turn === side && !scene.ended ? " turn" : ""}${scene.busy === side ? " busy" : ""}`;
        const part = (tag, kind, text) => Object.assign(document.createElement(tag), { className: kind, textContent: text });
        const taken = part("span", "taken", "");
        for (const code of scene.taken[side]) {
          const small = make("svg", { viewBox: "-4.7 -4.7 9.4 9.4" }, taken);
          paint(make("g", {}, small), code, scene.western);
        }
        taken.setAttribute("aria-label", tr("吃掉的子", "captured"));
        const outcome = { draw: tr("和", "draw"), [side]: tr("胜", "won") }[scene.ended] || tr("负", "lost");
        const score = part("span", "score", scene.ended ? outcome : expected(side) === null ? "" : `${expected(side)} %`);
        score.title = scene.ended ? "" : tr("期望得分", "expected score");
        strip.replaceChildren(part("i", "dot", ""), part("b", "", scene.names[side] || ""), score, part("em", "", ""), taken);
      }
    };
    const gauge = () => {
      const bar = find(".xq-bar"), red = expected("w"), known = red !== null;
      element.classList.toggle("has-bar", !!scene.names.w);
      bar.classList.toggle("unknown", !known); bar.classList.toggle("flip", scene.flip);
      bar.querySelector("i").style.height = `${known ? 50 * (1 + scene.bar) : 50}%`;
      bar.setAttribute("aria-label", known ? tr(`红方期望得分 ${red}%`, `red's expected score ${red} %`) : tr("尚无估值", "no evaluation yet"));
      bar.title = bar.getAttribute("aria-label");
    };
    const show = () => {
      arrange(scene.board, scene.western); coordinates(); mark(); arrows(); strips(); gauge();
      svg.setAttribute("aria-label", tr("棋盘：方向键移动光标，回车拿起和放下，Esc 取消", "Board: arrow keys move the cursor, Enter picks up and drops, Esc cancels"));
    };
    const read = () => {
      let next = null;
      try { next = JSON.parse(props.value || "null"); } catch { return; }
      if (!next || (scene && next.serial < scene.serial)) return; // overtaken on the way
      const before = scene;
      if (before && next.serial === before.serial) return;
      const unasked = waiting && next.board === asked.board && !next.refused; // made before the move arrived there
      if (unasked && performance.now() - asked.at < PATIENCE_MS) return;
      const same = before && next.board === before.board && JSON.stringify(next.legal) === JSON.stringify(before.legal);
      scene = next; waiting = false;
      if (!same) held = -1;
      if (before && next.sound && next.last && next.last !== heard) {
        const count = (text) => text.replaceAll(".", "").length;
        knock(count(next.board) < count(before.board), next.check);
      } else if (before && next.sound && next.check && !before.check) knock(false, true);
      heard = next.last;
      show();
    };

    // ---- a move by the visitor: drawn at once, then asked for
    const speak = (text) => { find(".xq-heard").textContent = text; };
    const hold = (s) => { held = goals(s).length ? s : -1; mark(); };
    const commit = (from, to) => {
      asked = { scene, board: scene.board, at: performance.now() };
      const mover = on(from), victim = on(to), move = name(from) + name(to);
      if (victim) remove(victim);
      mover.at = to; layers.pieces.append(mover.node); put(mover, ...spot(to));
      scene = { ...scene, last: move, check: "", legal: {}, arrows: [] };
      held = -1; waiting = true; cursor = to; heard = move;
      mark(); arrows();
      if (scene.sound) knock(!!victim, false);
      moved();
      trigger("move", { move });
    };
    const squareAt = (event) => {
      const p = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      const f = Math.round(p.x / 10), r = Math.round(p.y / 10);
      if (f < 0 || f > 8 || r < 0 || r > 9) return [-1, p];
      return [scene.flip ? 9 * r + 8 - f : 9 * (9 - r) + f, p];
    };
    svg.addEventListener("pointerdown", (event) => {
      if (!scene || event.button) return;
      const [s, p] = squareAt(event);
      svg.classList.remove("keys");
      if (goals(held).includes(s)) return commit(held, s);
      const again = s === held;
      hold(s);
      if (held < 0) return;
      cursor = s;
      drag = { piece: on(s), from: s, x: p.x, y: p.y, moved: false, again };
      svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener("pointermove", (event) => {
      if (!drag) return;
      const [, p] = squareAt(event);
      if (!drag.moved && Math.hypot(p.x - drag.x, p.y - drag.y) < 1.8) return;
      if (!drag.moved) { drag.moved = true; layers.pieces.append(drag.piece.node); drag.piece.node.classList.add("dragged"); }
      put(drag.piece, p.x, p.y);
    });
    const letGo = (event, cancelled) => {
      if (!drag) return;
      const { piece, from, moved, again } = drag, [s] = squareAt(event);
      drag = null;
      piece.node.classList.remove("dragged");
      if (!moved) { if (again) hold(-1); return; }
      if (!cancelled && goals(from).includes(s)) return commit(from, s);
      put(piece, ...spot(from)); // held still: a click may follow
    };
    svg.addEventListener("pointerup", (event) => letGo(event, false));
    svg.addEventListener("pointercancel", (event) => letGo(event, true));
    svg.addEventListener("touchstart", (event) => { // a finger on a piece drags it, elsewhere it scrolls the page
      const [s] = scene ? squareAt(event.touches[0]) : [-1];
      if (goals(s).length || goals(held).includes(s)) event.preventDefault();
    }, { passive: false });
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
      if (!scene || (!step && !["Enter", " ", "Escape"].includes(event.key))) return;
      event.preventDefault(); svg.classList.add("keys");
      if (event.key === "Escape") { hold(-1); return speak(tr("已取消", "cancelled")); }
      if (!step) {
        if (goals(held).includes(cursor)) return commit(held, cursor);
        hold(cursor === held ? -1 : cursor);
        return speak(held < 0 ? tr("没有可走的着法", "no move from here") : tr(`已拿起，可走 ${goals(held).length} 处`, `picked up, ${goals(held).length} moves`));
      }
      const turn = scene.flip ? -1 : 1, f = (cursor % 9) + step[0] * turn, r = Math.floor(cursor / 9) + step[1] * turn;
      if (f < 0 || f > 8 || r < 0 || r > 9) return;
      cursor = 9 * r + f; mark();
      const piece = on(cursor), side = piece && (isRed(piece.code) ? tr("红", "red ") : tr("黑", "black "));
      speak(`${name(cursor)} ${piece ? side + tr(...NAMES[piece.code.toLowerCase()]) : tr("空", "empty")}${goals(held).includes(cursor) ? tr("，可走", ", a legal move") : ""}`);
    });
    setInterval(() => { // a move that nobody answered was never made
      if (!waiting || performance.now() - asked.at < LOST_MS) return;
      scene = asked.scene; heard = scene.last; waiting = false;
      speak(tr("没有回音，这一着退回", "no answer: the move is taken back"));
      show();
    }, 500);
    setInterval(() => { // who thinks for over a second is seen to
      const said = find(".xq-strip.busy em");
      if (!said) return;
      said.dataset.since ??= Date.now();
      const seconds = Math.floor((Date.now() - said.dataset.since) / 1000);
      if (seconds) said.textContent = tr(`思考中 ${seconds} 秒`, `thinking, ${seconds} s`);
    }, 250);
    kx.listeners.add(() => scene && show());
    watch("value", read);
    read();
  };
  return { board, moved };
})();

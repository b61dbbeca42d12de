// A text as a heat map at three levels (paragraph: bar, sentence: underline, token: shade) beside a map of the whole.
const kxHeat = (element, props, trigger, watch) => {
  const find = (name) => element.querySelector(`.kx-heat-${name}`);
  const text = find("text"), map = find("map");
  let data = null, chosen = null;
  const hue = (value) => (value >= 0 ? "var(--kx-accent)" : "var(--kx-counter)");
  const paint = (node, value, most) => {
    node.style.setProperty("--share", most ? Math.min(1, Math.abs(value) / most).toFixed(3) : 0);
    node.style.setProperty("--hue", hue(value));
  };

  // Tokens only where the reader looks: a book has a quarter of a million.
  const fill = (p) => {
    const sentences = [];
    for (let k = p.first; k < p.last; k++) {
      const [start, stop, value] = data.sentences[k];
      const s = document.createElement("s");
      s.dataset.k = k;
      paint(s, value, data.most.sentence);
      if (k === chosen) s.className = "chosen";
      let at = start;
      for (let i = data.from[k]; i < data.from[k + 1]; i++) {
        const a = Math.max(at, data.starts[i]), b = Math.min(stop, data.stops[i]);
        if (b <= a) continue;
        if (a > at) s.append(data.text.slice(at, a));
        const token = document.createElement("i");
        token.textContent = data.text.slice(a, b);
        paint(token, data.parts[i], data.most.token);
        s.append(token);
        at = b;
      }
      if (at < stop) s.append(data.text.slice(at, stop).replace(/\n+$/, ""));
      sentences.push(s);
    }
    p.node.replaceChildren(...sentences);
    p.filled = true;
  };
  const empty = (p) => { p.node.textContent = data.text.slice(p.start, p.stop).replace(/\n+$/, ""); p.filled = false; };
  let seen = null;
  const build = () => {
    seen?.disconnect();
    seen = new IntersectionObserver((entries) => entries.forEach((entry) => {
      const p = data.paragraphs[entry.target.dataset.p];
      if (entry.isIntersecting && !p.filled) fill(p);
      else if (!entry.isIntersecting && p.filled) empty(p);
    }), { root: text, rootMargin: "300px" });
    text.replaceChildren(...data.paragraphs.map((p, i) => {
      p.node = document.createElement("p");
      p.node.dataset.p = i;
      paint(p.node, p.value, data.most.paragraph);
      empty(p);
      return p.node;
    }));
    data.paragraphs.forEach((p) => seen.observe(p.node));
  };
  const read = () => {
    element.querySelectorAll(".kx-heat, .kx-heat-said").forEach((part) => { part.hidden = !props.value; });
    if (!props.value) { text.replaceChildren(); data = null; return; }
    const given = JSON.parse(props.value);
    const parts = given.parts, starts = given.starts, stops = given.stops, sentences = given.sentences;
    const from = [];
    let i = 0;
    for (const [start] of sentences) { while (i < starts.length && starts[i] < start) i++; from.push(i); }
    from.push(starts.length);
    const most = (list) => { // nearly the largest: a single giant would leave the rest pale
      const sizes = list.map(Math.abs).filter((v) => v > 0).sort((a, b) => a - b);
      return sizes.length ? sizes[Math.floor((sizes.length - 1) * 0.98)] : 0;
    };
    const paragraphs = given.paragraphs.map(([start, stop, value]) => ({ start, stop, value }));
    let k = 0;
    for (const p of paragraphs) {
      while (k < sentences.length && sentences[k][0] < p.start) k++;
      p.first = k;
      while (k < sentences.length && sentences[k][0] < p.stop) k++;
      p.last = k;
    }
    const levels = { token: most(parts), sentence: most(sentences.map((s) => s[2])), paragraph: most(paragraphs.map((p) => p.value)) };
    data = { text: given.text, parts, starts, stops, sentences, from, paragraphs, most: levels };
    chosen = given.chosen;
    build();
    drawMap();
    if (chosen !== null && chosen !== undefined) show(data.sentences[chosen][0]);
  };

  // The map: a row of pixels for a stretch of characters, its strongest sentence decides.
  const drawMap = () => {
    const ratio = window.devicePixelRatio || 1, width = map.clientWidth, height = map.clientHeight, g = map.getContext("2d");
    map.width = width * ratio; map.height = height * ratio;
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (!data || !height) return;
    const colour = (name) => getComputedStyle(document.body).getPropertyValue(`--kx-${name}`).trim();
    const rows = Math.floor(height / 2), best = new Float64Array(rows);
    for (const [start, stop, value] of data.sentences) {
      const first = Math.floor((start / data.text.length) * rows), last = Math.floor(((stop - 1) / data.text.length) * rows);
      for (let r = first; r <= Math.min(last, rows - 1); r++) if (Math.abs(value) > Math.abs(best[r])) best[r] = value;
    }
    best.forEach((value, r) => {
      g.globalAlpha = data.most.sentence ? Math.min(1, Math.abs(value) / data.most.sentence) : 0;
      g.fillStyle = colour(value >= 0 ? "accent" : "counter");
      g.fillRect(6, r * 2, width - 12, 2);
    });
    g.globalAlpha = 1;
    g.strokeStyle = colour("ink"); g.lineWidth = 1.5;
    const [top, bottom] = view();
    g.strokeRect(2, Math.max(1, top * height), width - 4, Math.max(6, (bottom - top) * height - 2));
  };
  const view = () => { // what part of the characters is on screen
    const box = text.getBoundingClientRect();
    const inside = data.paragraphs.filter((p) => { const r = p.node.getBoundingClientRect(); return r.bottom > box.top && r.top < box.bottom; });
    if (!inside.length) return [0, 0];
    const place = (p, y) => { const r = p.node.getBoundingClientRect(); return p.start + (p.stop - p.start) * Math.min(1, Math.max(0, (y - r.top) / (r.height || 1))); };
    return [place(inside[0], box.top) / data.text.length, place(inside.at(-1), box.bottom) / data.text.length];
  };
  const show = (character) => { // scrolls twice: heights of paragraphs off screen are estimates
    const go = () => {
      const p = data.paragraphs.find((q) => character < q.stop) || data.paragraphs.at(-1);
      if (!p) return;
      const share = (character - p.start) / Math.max(1, p.stop - p.start);
      text.scrollTop = p.node.offsetTop - text.offsetTop + share * p.node.offsetHeight - text.clientHeight / 3;
    };
    go();
    requestAnimationFrame(() => { go(); requestAnimationFrame(drawMap); });
  };
  const aim = (event) => { if (data) show(((event.clientY - map.getBoundingClientRect().top) / map.clientHeight) * data.text.length); };
  let held = false;
  map.addEventListener("pointerdown", (event) => { held = true; map.setPointerCapture(event.pointerId); aim(event); });
  map.addEventListener("pointermove", (event) => { if (held) aim(event); });
  map.addEventListener("pointerup", () => { held = false; });
  let waiting = 0;
  text.addEventListener("scroll", () => { waiting ||= requestAnimationFrame(() => { waiting = 0; drawMap(); }); });
  text.addEventListener("click", (event) => {
    const s = event.target.closest("s");
    if (!s) return;
    element.querySelectorAll("s.chosen").forEach((other) => other.classList.remove("chosen"));
    s.classList.add("chosen");
    chosen = +s.dataset.k;
    const [start, stop] = data.sentences[chosen];
    trigger('pick', { start, text: data.text.slice(start, stop) }); // the document may have changed since
  });
  new ResizeObserver(drawMap).observe(map);
  kx.listeners.add(drawMap);
  watch("value", read);
  read();
};

// The sentence, once for each cell: point at a character, and the earlier ones are shaded by how much its prediction
// depends on them. All data come in one JSON value; text is only ever set as textContent.
const kxWords = (element, props, watch) => {
  const root = element.querySelector(".kx-words"), rows = element.querySelector(".kx-words-rows");
  let data = null, drawn = [], at = 0;

  const level = (cell, i, t) => cell.bytes.charCodeAt((i * (i - 1)) / 2 + t) / 255; // of the row's largest share
  const make = (tag, className, text = "") => Object.assign(document.createElement(tag), { className, textContent: text });
  const shown = (c) => (c === "\n" ? "↵" : c === "" ? "□" : c);
  const named = (c) => `「${c === " " ? "␣" : shown(c)}」`; // a comma in a list needs quotes

  const build = () => {
    rows.replaceChildren();
    root.classList.toggle("kx-words-long", data.characters.length > 80);
    drawn = data.cells.map((cell) => {
      cell.bytes ??= atob(cell.levels);
      const row = rows.appendChild(make("div", "kx-words-row"));
      const title = row.appendChild(make("h4", ""));
      title.appendChild(make("i", "")).style.setProperty("--mark", `var(--kx-${cell.color})`);
      title.append(cell.label);
      const text = row.appendChild(make("div", "kx-words-text"));
      const spans = [...data.characters, "？"].map((c, i) => {
        const span = text.appendChild(make("span", "", shown(c)));
        span.dataset.i = i;
        return span;
      });
      return { cell, spans, said: row.appendChild(make("div", "kx-words-said")) };
    });
  };

  const say = ({ cell, said }) => {
    const english = kx.language() === "en", percent = (p) => `${(100 * p).toPrecision(2)}%`;
    const end = at === data.characters.length;
    const likely = cell.top[at].map(([c, p]) => `${named(c)}${percent(p)}`).join(" ");
    const peak = data.characters[cell.nearest[at]];
    said.replaceChildren();
    if (end) said.append(english ? "What comes next: " : "接下来：");
    else {
      said.append(make("b", "", named(data.characters[at])), ` ${percent(2 ** -cell.bits[at])}, ${cell.bits[at].toFixed(1)} bit`);
      said.append(english ? " · would say: " : " · 它会说：");
    }
    said.append(likely, english ? ` · most from ${named(peak)}, half from the last ` : ` · 最看 ${named(peak)}，一半来自最近 `);
    said.append(make("b", "", cell.half[at]), english ? "" : " 个字");
  };

  const show = () => {
    for (const one of drawn) {
      one.spans.forEach((span, i) => {
        const share = i < at ? level(one.cell, at, i) : 0;
        span.style.setProperty("--share", share);
        const c = data.characters[i];
        span.className = [i === at && "at", i > at && "later", share > 0.55 && "strong", c === undefined && "end",
          c === "\n" && "break", data.unknown.includes(i) && "unknown"].filter(Boolean).join(" ");
      });
      say(one);
    }
  };
  const go = (i) => {
    if (!data || !(i >= 1 && i <= data.characters.length) || i === at) return;
    at = i;
    show();
  };

  const pointed = (event) => { const i = event.target.dataset?.i; if (i !== undefined) go(Math.max(1, +i)); };
  root.addEventListener("pointerover", pointed);
  root.addEventListener("pointerdown", pointed);
  root.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 1, End: data?.characters.length }[event.key];
    if (way === undefined) return;
    event.preventDefault();
    event.stopPropagation(); // the arrows also change tabs
    go(way);
  });

  const read = () => {
    if (!props.value) return;
    data = typeof props.value === "string" ? JSON.parse(props.value) : props.value;
    at = Math.min(Math.max(1, data.at), data.characters.length);
    build();
    show();
  };
  watch("value", read);
  kx.listeners.add(() => { if (data && element.isConnected) drawn.forEach(say); });
  read();
};

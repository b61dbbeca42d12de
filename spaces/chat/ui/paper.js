// The paper: a textarea over a mirror of its text in which every piece that the model wrote is shaded.
kx.chat.paper ??= (element, props, trigger, watch) => {
  const { tr, node, button, reader, percent, visible, cost } = kx.chat;
  const root = element.querySelector(".ch-paper");
  const FOLD = 40_000; // characters on the paper
  let value = null, pieces = [], chosen = -1, cut = 0, drawn = {}, head = "";

  // ---- the parts, top to bottom
  const folded = node("p", "hint folded", "", root), sheet = node("div", "sheet", "", root), grow = node("div", "grow", "", sheet);
  const mirror = node("div", "mirror", "", grow), unread = node("span", "cut", "", mirror), plain = node("span", "", "", mirror);
  const shaded = node("span", "", "", mirror), area = node("textarea", "", "", grow);
  mirror.setAttribute("aria-hidden", "true");
  area.spellcheck = false;
  area.setAttribute("aria-label", tr("纸：你的文字和模型的续写", "Paper: your text and what the model writes"));
  area.placeholder = tr("写点什么，模型接着写。", "Write something; the model goes on.");
  const bar = node("div", "bar", "", root);
  const ask = (request) => trigger("act", request);
  const go = button("go", tr("续写", "Continue"), bar, () => (value?.busy ? ask({ do: "stop" }) : goOn()));
  const retry = button("", tr("换一种写法", "Write it otherwise"), bar, () => ask({ do: "retry" }));
  const undo = button("", tr("撤销", "Undo"), bar, () => ask({ do: "undo" }));
  const said = node("div", "said", "", bar);
  said.setAttribute("role", "status");
  const picker = node("div", "picker", "", root), tree = node("div", "tree", "", root);
  const goOn = () => ask({ do: "go_on", text: head + area.value });

  // ---- the text and its shades
  const written = () => pieces.reduce((all, piece) => all + piece[0], "");
  const put = (text) => { // a browser takes seconds to lay out a megabyte: its beginning is folded away
    fold(text, text.length > FOLD ? Math.max(0, text.length - FOLD / 2 - written().length) : 0);
  };
  const fold = (text, from) => {
    head = text.slice(0, from);
    if (area.value !== text.slice(from)) area.value = text.slice(from);
    const count = counted(head.length);
    folded.textContent = head && tr(`前面 ${count} 字收起了，仍属于这段文字；全选后改写，它也一起换掉。`, `The first ${count} characters are folded away; they still belong to the text, and go where all of it is selected and replaced.`);
  };
  const counted = (n) => n.toLocaleString("en");
  const draw = () => { // the mirror; pieces that the visitor changed lose their shade
    const prompt = area.value.slice(0, Math.max(0, area.value.length - written().length));
    if (prompt !== drawn.prompt || cut !== drawn.cut) {
      const border = cut ? Math.max(0, [...(head + prompt)].slice(0, cut).join("").length - head.length) : 0;
      unread.textContent = prompt.slice(0, border);
      plain.textContent = prompt.slice(border);
      drawn = { prompt, cut };
    }
    shaded.replaceChildren();
    pieces.forEach(([text, , share], i) => {
      const span = node("span", "piece", text, shaded);
      span.style.setProperty("--surprise", share === null ? 0 : (1 - share).toFixed(3));
      span.classList.toggle("chosen", i === chosen);
    });
    shaded.append(value?.busy ? "▍" : "\u200b");
  };
  const edited = () => { // of the pieces those stay whose place in the text is untouched
    const before = lastText.length - written().length;
    let kept = 0, end = before;
    if (area.value.slice(0, before) === lastText.slice(0, before)) {
      for (const [text] of pieces) {
        if (area.value.slice(end, end + text.length) !== text) break;
        end += text.length; kept += 1;
      }
    }
    pieces = area.value.length === end ? pieces.slice(0, kept) : [];
    if (area.value.length > FOLD) put(head + area.value); else fold(head + area.value, head.length);
    lastText = area.value;
    chosen = -1; cut = 0;
    draw(); choose(); name();
  };
  const name = () => { go.textContent = value?.busy ? tr("停", "Stop") : pieces.length ? tr("接着写", "Go on") : tr("续写", "Continue"); };
  let lastText = "";
  area.addEventListener("beforeinput", (event) => { // whoever selected everything means what is folded away too
    if (!/^history/.test(event.inputType) && area.selectionStart === 0 && area.selectionEnd === area.value.length) head = "";
  });
  area.addEventListener("input", edited);

  // ---- what else could have stood there
  const pieceAt = (place) => {
    let end = area.value.length - written().length;
    if (place < end) return -1;
    return pieces.findIndex(([text]) => place < (end += text.length));
  };
  const choose = () => {
    picker.replaceChildren();
    const piece = pieces[chosen], options = piece && value.choices?.[piece[1]];
    if (value?.busy || !pieces.length) return;
    if (!options) {
      node("p", "hint", tr("点一个有底纹的字，看当时还有哪些候选；点候选，就从那里另写一条。", "Click a shaded piece to see what else could have stood there; click an alternative to go on from it."), picker);
      return;
    }
    const line = node("p", "hint", "", picker);
    node("span", "", tr("这里是", "Here stands "), line);
    node("b", "", `「${visible(piece[0])}」`, line);
    node("span", "", piece[2] === null ? "" : `${percent(piece[2])} `, line);
    node("span", "", tr("，候选有：", "; there could be:"), line);
    const list = node("div", "options", "", picker), most = Math.max(...options.map((o) => o[1]), 1e-9);
    for (const [text, share, token] of options) {
      const one = button("option", "", list, () => ask({ do: "choose", node: piece[1], token }));
      one.classList.toggle("here", text === piece[0]);
      one.style.setProperty("--share", share / most);
      node("span", "", kx.pick(text) === text ? visible(text) : text, one);
      node("small", "", percent(share), one);
    }
    if (!options.length) node("p", "hint", tr("服务器没有告诉候选。", "The server told no alternatives."), picker);
  };
  const pointed = (event) => {
    const place = area.selectionStart;
    if (area.selectionEnd !== place || value?.busy) return;
    const now = pieceAt(place);
    if (now === chosen) return;
    chosen = now;
    if (chosen >= 0 && event.pointerType === "touch") area.blur(); // no keyboard over the alternatives
    draw(); choose();
  };
  area.addEventListener("click", pointed);
  area.addEventListener("keyup", (event) => { if (/^(Arrow|Home|End)/.test(event.key)) pointed(event); });
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); goOn(); }
    if (event.key === "Escape" && value?.busy) ask({ do: "stop" });
  });

  // ---- the tree of all ways tried
  const branch = (one, parent) => {
    const item = node("li", one.on ? "on" : "", "", parent);
    const made = button("", "", item, () => ask({ do: "visit", node: one.node }));
    node("span", "", visible(one.text.length > 80 ? `${one.text.slice(0, 78)}…` : one.text), made);
    if (one.bits !== null) node("small", "", `${one.bits} bit`, made);
    if (one.branches.length) { const list = node("ul", "", "", item); one.branches.forEach((b) => branch(b, list)); }
  };
  const forks = (list) => list.length > 1 || list.some((one) => forks(one.branches));
  const drawTree = () => {
    tree.replaceChildren();
    if (!forks(value.tree)) return;
    node("h4", "", tr("走过的路", "Ways tried"), tree);
    node("p", "hint", tr("点一段，文字就回到那里；比特数是这一段有多出乎意料。", "Click a stretch to go there; its bits say how unexpected it is."), tree);
    const list = node("ul", "", "", tree);
    value.tree.forEach((one) => branch(one, list));
  };

  reader(props, watch, (next) => {
    value = next;
    const text = value.pieces.reduce((all, piece) => all + piece[0], "");
    const prompt = value.prompt === undefined ? (head + area.value).slice(0, head.length + area.value.length - written().length) : value.prompt;
    if (!value.refused) { // what the visitor typed stays where his wish was refused
      cut = value.cut;
      pieces = value.pieces;
      put(prompt + text);
      lastText = area.value;
    }
    area.readOnly = value.busy;
    chosen = -1;
    draw(); choose();
    if (value.tree) drawTree();
    name();
    root.classList.toggle("busy", value.busy);
    retry.disabled = value.busy || !value.can.retry;
    undo.disabled = value.busy || !value.can.undo;
    said.replaceChildren();
    if (value.said) said.innerHTML = value.said; // a progress bar of our own making
    else {
      const parts = [value.end, cost(value.cost)].filter(Boolean);
      for (const part of parts) node("span", "", part, said);
      if (value.cut) node("b", "", tr(`开头 ${counted(value.cut)} 字放不进上下文，没有读到。`, `The first ${counted(value.cut)} characters do not fit the context and were not read.`), said);
      if (value.label && pieces.length) node("span", "label", value.label, said);
    }
    if (value.busy) sheet.scrollTop = sheet.scrollHeight;
  });
};

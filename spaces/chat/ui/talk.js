// The conversation: turns, versions, the cut line, answers under way, and the place to write.
kx.chat.talk ??= (element, props, trigger, watch) => {
  const { tr, node, button, reader, cost } = kx.chat;
  const root = element.querySelector(".ch-talk");
  let value = null, turns = [], since = -1, editing = -1, sent = null;
  const ask = (request) => trigger("act", request);

  // ---- the parts, top to bottom
  const head = node("div", "head", "", root);
  button("", tr("新对话", "New conversation"), head, () => ask({ do: "begin" })).dataset.deed = "begin";
  const shelf = node("select", "", "", head);
  shelf.setAttribute("aria-label", tr("取回旧对话", "earlier conversations"));
  shelf.addEventListener("change", () => { if (shelf.value) ask({ do: "fetch", index: +shelf.value }); });
  const log = node("div", "log", "", root), live = node("div", "live", "", root);
  const said = node("div", "status", "", root);
  said.setAttribute("role", "status");
  const composer = node("div", "composer", "", root), area = node("textarea", "", "", composer);
  area.rows = 2;
  area.placeholder = tr("问点什么（回车发送，Shift＋回车换行）", "Ask something, in Chinese (Enter sends, Shift + Enter breaks the line)");
  area.setAttribute("aria-label", tr("你的问题", "Your question"));
  const send = button("go", tr("发送", "Send"), composer, () => (value?.busy ? ask({ do: "stop" }) : submit()));
  const submit = () => { if (sent === area.value || !area.value.trim()) return; sent = area.value; ask({ do: "ask", text: area.value }); };
  const grow = () => { area.style.height = "auto"; area.style.height = `${Math.min(260, area.scrollHeight + 2)}px`; };
  area.addEventListener("input", grow);
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); if (!value?.busy) submit(); }
    if (event.key === "Escape" && value?.busy) ask({ do: "stop" });
  });

  // ---- a turn
  const foot = (turn, parent) => {
    const line = node("div", "foot", "", parent);
    if (turn.model) node("span", "model", turn.model, line);
    if (turn.cost) node("span", "", cost(turn.cost), line);
    if (turn.end) node("span", "end", turn.end, line);
    return line;
  };
  const tools = (turn, parent) => {
    const line = node("div", "tools", "", parent), at = turn.versions.indexOf(turn.id), many = turn.versions.length;
    if (many > 1) {
      const older = button("turner", "‹", line, () => ask({ do: "show", turn: turn.versions[at - 1] }));
      older.setAttribute("aria-label", tr("上一个版本", "earlier version"));
      older.disabled = at < 1;
      node("span", "count", `${at + 1}/${many}`, line);
      const newer = button("turner", "›", line, () => ask({ do: "show", turn: turn.versions[at + 1] }));
      newer.setAttribute("aria-label", tr("下一个版本", "later version"));
      newer.disabled = at >= many - 1;
    }
    if (turn.role === "user") button("", tr("改", "Edit"), line, () => { editing = turn.id; draw(); });
    else button("", tr("重答", "Retry"), line, () => ask({ do: "again", turn: turn.id }));
    if (turn.role === "model" && turn !== turns.at(-1)) button("", tr("从这里另起", "Branch here"), line, () => ask({ do: "back", turn: turn.id }));
  };
  const edit = (turn, parent) => {
    const box = node("div", "editor", "", parent), field = node("textarea", "", "", box), line = node("div", "tools", "", box);
    field.value = turn.text;
    field.rows = Math.min(10, turn.text.split("\n").length + 1);
    field.setAttribute("aria-label", tr("改写问题", "Edit the question"));
    button("go", tr("重新问", "Ask again"), line, () => { ask({ do: "edit", turn: turn.id, text: field.value }); });
    button("", tr("取消", "Cancel"), line, () => { editing = -1; draw(); });
    field.focus();
  };
  const speech = (role, parent) => {
    const box = node("article", role, "", parent);
    node("b", "who", role === "user" ? "问" : "答", box);
    return node("div", "said", "", box);
  };
  const show = (turn) => {
    if (turn.id === since) node("div", "cutline", tr("以上已经掉出上下文，模型读不到", "above: fallen out of the context, no longer read"), log);
    const body = speech(turn.role, log);
    if (editing === turn.id) return edit(turn, body);
    if (!turn.beside?.length) {
      node("p", "", turn.text, body);
      if (turn.role === "model") foot(turn, body);
      return tools(turn, body);
    }
    const columns = node("div", "columns", "", body); // two models side by side
    for (const one of [turn, ...turn.beside].sort((a, b) => a.id - b.id)) {
      const column = node("div", one === turn ? "column on" : "column", "", columns);
      node("p", "", one.text, column);
      foot(one, column);
      if (one === turn) node("span", "picked", tr("接着它说", "going on with this"), column);
      else button("", tr("改为接着它说", "Go on with this"), column, () => ask({ do: "show", turn: one.id }));
    }
    tools(turn, body);
  };
  const draw = () => {
    log.replaceChildren();
    turns.forEach(show);
    if (!turns.length) {
      node("p", "empty", tr("还没有对话。点一个问题，或自己写；它学的是中文。", "Nothing said yet. Take a question or write your own; the model learnt Chinese."), log);
      const samples = node("div", "samples", "", log);
      for (const text of value?.samples ?? []) button("", text, samples, () => { area.value = text; grow(); submit(); });
    }
    if (value?.asked && !value.busy) button("answer", tr("回答", "Answer"), log, () => ask({ do: "again", turn: turns.at(-1).id }));
  };
  const drawLive = () => { // answers under way, in columns where there are two
    live.hidden = !value.live.length;
    live.replaceChildren();
    if (!value.live.length) return;
    const body = speech("model", live), columns = node("div", value.live.length > 1 ? "columns" : "", "", body);
    for (const one of value.live) {
      const column = node("div", value.live.length > 1 ? "column" : "", "", columns);
      node("p", "typing", one.text, column);
      foot(one, column);
    }
  };

  reader(props, watch, (next) => {
    value = next;
    if (sent !== null && !value.said) {
      if (!value.refused && area.value === sent) { area.value = ""; grow(); }
      sent = null;
    }
    if (value.turns) {
      turns = value.turns; since = value.since;
      if (!value.refused) editing = -1;
      if (editing < 0) draw();
      shelf.hidden = !value.shelf.length;
      shelf.replaceChildren();
      const option = (label, key) => { node("option", "", label, shelf).value = key; };
      option(tr("旧对话…", "Earlier …"), "");
      value.shelf.forEach(option);
    }
    const near = log.getBoundingClientRect().bottom < innerHeight + 400;
    drawLive();
    said.innerHTML = value.said; // a progress bar of our own making
    send.textContent = value.busy ? tr("停", "Stop") : tr("发送", "Send");
    root.classList.toggle("busy", value.busy);
    if (value.busy && near) composer.scrollIntoView({ block: "nearest" });
  });
  draw();
};

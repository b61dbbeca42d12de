// The ledger: an example a line, its switch, and a bar for what it gives to the answer.
kx.chat.ledger ??= (element, props, trigger, watch) => {
  const { tr, node, reader } = kx.chat;
  const root = element.querySelector(".ch-ledger");
  reader(props, watch, ({ rows, most, question, answer }) => {
    const focused = [...root.querySelectorAll("input")].indexOf(document.activeElement);
    root.replaceChildren();
    if (!rows.length) return;
    const list = node("ol", "", "", root);
    rows.forEach(([q, a, on, worth], i) => {
      const item = node("li", on ? "" : "off", "", list), label = node("label", "", "", item);
      const box = node("input", "", "", label);
      box.type = "checkbox"; box.checked = on;
      box.setAttribute("aria-label", tr(`例子 ${i + 1}`, `example ${i + 1}`));
      box.addEventListener("change", () => trigger("act", { do: "switch", shot: i }));
      const text = node("span", "text", "", label);
      node("span", "", q, text);
      node("b", "", a, text);
      const scale = node("span", "scale", "", item), bar = node("i", worth < 0 ? "minus" : "", "", scale);
      bar.style.width = worth === null ? "0" : `${(50 * Math.abs(worth)) / most}%`;
      node("small", "", worth === null ? (on ? "…" : tr("关", "off")) : `${Math.abs(worth) < 0.005 ? "" : worth < 0 ? "−" : "+"}${Math.abs(worth).toFixed(2)} nat`, item);
    });
    const last = node("p", "", "", root);
    node("span", "", question, last);
    node("b", "", answer, last);
    if (focused >= 0) root.querySelectorAll("input")[focused]?.focus();
  });
};

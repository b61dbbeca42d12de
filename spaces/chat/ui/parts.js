// What the chat's components share.
window.kx.chat ??= (() => {
  const { tr } = window.kx.parts;
  const percent = (p) => (p >= 0.0995 ? `${Math.round(100 * p)} %` : p >= 0.001 ? `${(100 * p).toPrecision(2)} %` : "< 0.1 %");
  const visible = (text) => text.replace(/\n/g, "↵").replace(/^ | $/g, "␣") || "∅";
  const bytes = (n) => (n >= 1e9 ? `${(n / 1e9).toFixed(2)} GB` : n >= 1e6 ? `${(n / 1e6).toFixed(1)} MB` : `${Math.round(n / 1e3)} kB`);
  const cost = (c) => { // what an answer took, in both languages
    if (!c || !c.count) return "";
    const both = [["", ""]], add = (zh, en) => both.push([zh, en]);
    if (c.first) add(`首词 ${c.first < 0.1 ? Math.round(1000 * c.first) + " 毫秒" : c.first.toFixed(1) + " 秒"}`, `first token after ${c.first < 0.1 ? Math.round(1000 * c.first) + " ms" : c.first.toFixed(1) + " s"}`);
    if (c.rate) add(`${c.rate >= 20 ? Math.round(c.rate) : c.rate} 词元/秒`, `${c.rate >= 20 ? Math.round(c.rate) : c.rate} tokens/s`);
    add(`${c.count} 词元`, `${c.count} token${c.count > 1 ? "s" : ""}`);
    if (c.weights) add(`内存：权重及副本 ${bytes(c.weights)} ＋ 缓存 ${bytes(c.cache)}`, `memory: weights and copies ${bytes(c.weights)} + cache ${bytes(c.cache)}`);
    return tr(both.slice(1).map((b) => b[0]).join(" · "), both.slice(1).map((b) => b[1]).join(" · "));
  };
  return { ...window.kx.parts, percent, visible, cost };
})();

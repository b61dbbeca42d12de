// One figure in the page: draws a spec of shared/plots.py, lets a reader point at it, and saves it as PNG or CSV.
(() => {
  const kx = window.kx;
  const { FONT, colour, isNumber, format, scientific, shades, drawFigure } = kx.drawing;
  const TWEEN_MS = 180;

  // ---- what the pointer is on
  const nearest = (spec, s, px, py) => {
    const [x, y] = s.invert(px, py);
    const rows = [];
    const cells = spec.layers.find((l) => l.kind === "cells" && l.name);
    const closest = (list, v) => list.reduce((best, c, i) => (Math.abs(c - v) < Math.abs(list[best] - v) ? i : best), 0);
    if (cells) {
      const i = closest(cells.x, x), j = closest(cells.y, y);
      return { x: cells.x[i], rows: [[spec.y.label, cells.y[j], null], [cells.name, cells.z[j]?.[i], null]] };
    }
    const lines = spec.layers.filter((l) => (l.kind === "line" || l.kind === "bars") && l.name && l.x.length);
    if (!lines.length) return null;
    const at = lines[0].x.reduce((best, v) => (isNumber(v) && Math.abs(v - x) < Math.abs(best - x) ? v : best), Infinity);
    for (const layer of lines) {
      const i = layer.hidden ? closest(layer.x, at) : layer.x.indexOf(at);
      if (i < 0) continue;
      const power = spec.y.log && !layer.hidden && isNumber(layer.y[i]);
      rows.push([layer.name, power ? scientific(layer.y[i]) : layer.y[i], layer.hidden ? null : layer.color]);
    }
    return rows.length ? { x: at, rows } : null;
  };

  const csv = (spec) => {
    const quote = (v) => `"${String(kx.pick(v ?? "")).replaceAll('"', '""')}"`;
    const log = (axis) => (spec[axis].log ? `log10(${axis})` : axis);
    const rows = [["layer", log("x"), log("y"), "value"].join(",")];
    for (const layer of spec.layers) {
      const name = quote(layer.name || layer.kind);
      if (layer.kind === "cells") layer.z.forEach((row, j) => row.forEach((v, i) => rows.push([name, layer.x[i], layer.y[j], v ?? ""].join(","))));
      else if (layer.x) layer.x.forEach((x, i) => rows.push([name, x ?? "", layer.y?.[i] ?? "", layer.labels ? quote(layer.labels[i]) : ""].join(",")));
    }
    return rows.join("\n") + "\n";
  };
  const save = (blob, name) => {
    const a = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 1000);
  };

  // ---- one figure in the page: called from the component's js_on_load
  kx.figure = (element, props, trigger, watch) => {
    const find = (name) => element.querySelector(`.kx-${name}`);
    let spec = null, before = null, started = 0, scales = null, pointer = null, frame = 0;

    const blended = () => { // points glide from where they were
      const t = Math.min(1, (performance.now() - started) / TWEEN_MS);
      if (!before || t >= 1) return [spec, true];
      const layers = spec.layers.map((layer, k) => {
        const old = before.layers[k];
        if (layer.kind !== "points" || !layer.glide || old?.kind !== "points" || old.x.length !== layer.x.length) return layer;
        const glide = (a, b) => b.map((v, i) => (isNumber(a[i]) && isNumber(v) ? a[i] + (v - a[i]) * t : v));
        return { ...layer, x: glide(old.x, layer.x), y: glide(old.y, layer.y) };
      });
      return [{ ...spec, layers }, !layers.some((l, k) => l !== spec.layers[k])];
    };
    const draw = () => {
      frame = 0;
      const canvas = find("canvas");
      if (!spec || !canvas || !canvas.clientWidth) return;
      const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
      if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
        canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
      }
      const g = canvas.getContext("2d");
      g.setTransform(ratio, 0, 0, ratio, 0, 0);
      g.clearRect(0, 0, width, height);
      const [shown, finished] = blended();
      scales = drawFigure(g, shown, width, height);
      if (pointer) drawPointer(g);
      if (!finished) redraw();
    };
    const redraw = () => { frame ||= requestAnimationFrame(draw); };
    const drawPointer = (g) => {
      const tip = find("tip"), hit = nearest(spec, scales, ...pointer);
      tip.hidden = !hit;
      if (!hit) return;
      g.strokeStyle = colour("muted"); g.setLineDash([2, 3]);
      g.beginPath(); g.moveTo(scales.x(hit.x), scales.box.y0); g.lineTo(scales.x(hit.x), scales.box.y1); g.stroke();
      tip.replaceChildren();
      const line = (label, value, mark) => {
        const row = tip.appendChild(document.createElement("div"));
        if (mark) row.appendChild(Object.assign(document.createElement("i"), { style: `background:${colour(mark)}` }));
        row.append(`${kx.pick(label || "")} ${format(value)}`);
      };
      line(spec.x.label, spec.x.log ? 10 ** hit.x : hit.x);
      hit.rows.forEach(([label, value, mark]) => line(label, value, mark));
      const left = Math.min(pointer[0] + 14, find("canvas").clientWidth - tip.offsetWidth - 4);
      tip.style.transform = `translate(${Math.max(0, left)}px, ${Math.max(0, pointer[1] - tip.offsetHeight - 8)}px)`;
    };
    const named = () => { // a layer for each name of the legend
      const names = new Map();
      for (const layer of spec.layers) if (layer.name && !layer.hidden && layer.opacity !== 0 && !names.has(layer.name)) names.set(layer.name, layer);
      return [...names.values()];
    };
    const legend = () => {
      find("legend").replaceChildren(...named().map((layer) => {
        const item = document.createElement("span"), mark = document.createElement("i");
        if (layer.kind === "cells") {
          mark.className = "scale";
          mark.style = `opacity: ${layer.opacity ?? 1}; background: linear-gradient(to right, ${shades(layer).map((name) => `var(--kx-${name})`)})`;
          item.append(layer.name, ` ${format(layer.range[0])}`, mark, format(layer.range[1]));
        } else {
          mark.className = layer.dash ? "dash" : "";
          mark.style = `--mark: var(--kx-${layer.color || "ink"})`;
          item.append(mark, layer.name);
        }
        return item;
      }));
    };
    const read = () => {
      if (!props.value) return;
      before = spec;
      spec = typeof props.value === "string" ? JSON.parse(props.value) : props.value;
      started = performance.now();
      find("caption").textContent = spec.caption || "";
      find("canvas").setAttribute("aria-label", spec.caption || "");
      const empty = !spec.layers.some((layer) => layer.x?.length && (layer.kind !== "cells" || layer.z.flat().some(isNumber)));
      element.querySelectorAll("[data-save]").forEach((button) => { button.disabled = empty; });
      find("box").style.setProperty("--aspect", spec.aspect || 0.62);
      legend();
      redraw();
    };

    const pick = (px, py) => {
      if (!scales || !props.pickable) return;
      const [x, y] = scales.invert(px, py);
      if (x >= scales.xa && x <= scales.xb && y >= scales.ya && y <= scales.yb) trigger("pick", { x, y });
    };
    const step = (event) => { // arrow keys move the pointer a fortieth of the box, or one column and row of cells
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (event.key === "Enter" && pointer) pick(...pointer);
      if (!way || !scales) return;
      event.preventDefault();
      const { x0, x1, y0, y1 } = scales.box, cells = spec.layers.find((l) => l.kind === "cells");
      const [dx, dy] = cells ? [(x1 - x0) / cells.x.length, (y1 - y0) / cells.y.length] : [(x1 - x0) / 40, (y1 - y0) / 40];
      const [px, py] = pointer || (cells ? [x0 - dx / 2, y0 + dy / 2] : [x0, (y0 + y1) / 2]);
      const inside = (v, lo, hi) => Math.min(Math.max(v, lo), hi);
      pointer = [inside(px + way[0] * dx, x0 + 1, x1 - 1), inside(py + way[1] * dy, y0 + 1, y1 - 1)];
      redraw();
    };
    const place = (event) => { const r = find("canvas").getBoundingClientRect(); return [event.clientX - r.left, event.clientY - r.top]; };
    element.addEventListener("pointermove", (event) => { if (event.target === find("canvas")) { pointer = place(event); redraw(); } });
    element.addEventListener("pointerleave", () => { pointer = null; find("tip").hidden = true; redraw(); });
    element.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button?.dataset.save === "csv") save(new Blob(["\ufeff", csv(spec)], { type: "text/csv" }), `${spec.name || "figure"}.csv`);
      if (button?.dataset.save === "png") savePng();
      if (event.target === find("canvas")) pick(...place(event));
    });
    find("canvas").addEventListener("keydown", step);
    find("canvas").addEventListener("blur", () => { pointer = null; find("tip").hidden = true; redraw(); });
    const savePng = () => { // the figure as it stands, its legend under it
      const canvas = find("canvas"), sheet = document.createElement("canvas"), g = sheet.getContext("2d");
      const ratio = canvas.width / canvas.clientWidth, ROW = 22;
      g.font = FONT;
      const places = [];
      let x = 14, row = 0;
      for (const layer of named()) {
        const [low, high] = (layer.range || []).map(format), name = kx.pick(layer.name);
        const text = layer.range ? `${name} ${low} … ${high}` : name, width = 30 + g.measureText(text).width + 16;
        if (x > 14 && x + width > canvas.clientWidth) { x = 14; row += 1; }
        places.push([layer, text, x, row]);
        x += width;
      }
      sheet.width = canvas.width;
      sheet.height = canvas.height + (places.length ? (row + 1) * ROW * ratio : 0);
      g.fillStyle = colour("surface"); g.fillRect(0, 0, sheet.width, sheet.height);
      pointer = null; draw(); g.drawImage(canvas, 0, 0);
      g.setTransform(ratio, 0, 0, ratio, 0, canvas.height);
      g.font = FONT; g.textBaseline = "middle"; g.lineWidth = 3;
      for (const [layer, text, left, down] of places) {
        const y = (down + 0.4) * ROW;
        if (layer.kind === "cells") {
          const ramp = g.createLinearGradient(left, 0, left + 22, 0);
          shades(layer).forEach((name, k, all) => ramp.addColorStop(k / (all.length - 1), colour(name)));
          g.fillStyle = ramp; g.globalAlpha = layer.opacity ?? 1; g.fillRect(left, y - 5, 22, 10); g.globalAlpha = 1;
        } else {
          g.strokeStyle = colour(layer.color || "ink"); g.setLineDash(layer.dash ? [5, 3] : []);
          g.beginPath(); g.moveTo(left, y); g.lineTo(left + 22, y); g.stroke();
        }
        g.fillStyle = colour("ink"); g.fillText(text, left + 30, y);
      }
      sheet.toBlob((blob) => save(blob, `${spec.name || "figure"}.png`));
    };
    kx.listeners.add(redraw);
    new ResizeObserver(redraw).observe(find("box"));
    watch("value", read);
    read();
  };
})();

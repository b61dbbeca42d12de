// One renderer for every figure of the argument: axes and layers on a canvas, in the page's own look.
// A figure is JSON made by shared/plots.py; this file draws it, lets a reader point at it, and saves it as PNG or CSV.
(() => {
  const kx = window.kx;
  const MARGIN = { left: 54, right: 14, top: 10, bottom: 40 };
  const TWEEN_MS = 180;
  const FONT = '12px system-ui, "PingFang SC", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif';

  const colour = (name) => {
    const style = getComputedStyle(document.body);
    return style.getPropertyValue(`--kx-${name}`).trim() || name;
  };
  const isNumber = (v) => typeof v === "number" && Number.isFinite(v);
  const format = (v) => {
    if (!isNumber(v)) return v === null || v === undefined ? "—" : String(v);
    const size = Math.abs(v);
    if (size !== 0 && (size < 1e-3 || size >= 1e5)) return v.toExponential(2);
    return String(+v.toPrecision(4));
  };
  const superscript = (n) => String(n).replace(/./g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"["0123456789-".indexOf(c)]);

  // ---- scales: data -> pixels
  const niceTicks = (lo, hi, count, wholeOnly) => {
    const raw = (hi - lo) / Math.max(count, 1);
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = Math.max([1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw), wholeOnly ? 1 : 0);
    const ticks = [];
    for (let i = Math.ceil(lo / step - 1e-9); i * step <= hi + step * 1e-9; i++) ticks.push(+(i * step).toPrecision(12));
    return ticks;
  };
  const extent = (spec, axis) => {
    let lo = Infinity, hi = -Infinity;
    const see = (v) => { if (isNumber(v)) { lo = Math.min(lo, v); hi = Math.max(hi, v); } };
    for (const layer of spec.layers) {
      (layer[axis] || []).forEach(see);
      if (layer.kind === "bars" && axis === "y") see(0);
      if (layer.kind === (axis === "x" ? "vline" : "hline")) see(layer.at);
    }
    if (lo > hi) return [0, 1];
    const pad = (hi - lo) * 0.04 || Math.abs(hi) * 0.1 || 0.5;
    return [lo - pad, hi + pad];
  };
  const makeScales = (spec, width, height) => {
    const box = { x0: MARGIN.left, x1: width - MARGIN.right, y0: MARGIN.top, y1: height - MARGIN.bottom };
    const range = (axis) => {
      const [a, b] = spec[axis].range || [null, null];
      const [lo, hi] = extent(spec, axis);
      return [isNumber(a) ? a : lo, isNumber(b) ? b : hi];
    };
    let [xa, xb] = range("x"), [ya, yb] = range("y");
    if (spec.equal) { // one unit is as long on x as on y
      const unit = Math.max((xb - xa) / (box.x1 - box.x0), (yb - ya) / (box.y1 - box.y0));
      const grow = (a, b, pixels) => [(a + b) / 2 - (unit * pixels) / 2, (a + b) / 2 + (unit * pixels) / 2];
      [xa, xb] = grow(xa, xb, box.x1 - box.x0);
      [ya, yb] = grow(ya, yb, box.y1 - box.y0);
    }
    return {
      box, xa, xb, ya, yb,
      x: (v) => box.x0 + ((v - xa) / (xb - xa)) * (box.x1 - box.x0),
      y: (v) => box.y1 - ((v - ya) / (yb - ya)) * (box.y1 - box.y0),
      invert: (px, py) => [xa + ((px - box.x0) / (box.x1 - box.x0)) * (xb - xa), ya + ((box.y1 - py) / (box.y1 - box.y0)) * (yb - ya)],
    };
  };

  // ---- axes
  const drawAxes = (g, spec, s) => {
    g.font = FONT;
    g.lineWidth = 1;
    const tickLabel = (axis, v) => (spec[axis].log ? `10${superscript(v)}` : format(v));
    const xTicks = spec.x.ticks || niceTicks(s.xa, s.xb, Math.min(8, (s.box.x1 - s.box.x0) / 70), spec.x.log || spec.x.whole);
    const yTicks = spec.y.ticks || niceTicks(s.ya, s.yb, Math.min(7, (s.box.y1 - s.box.y0) / 42), spec.y.log || spec.y.whole);
    g.strokeStyle = colour("grid");
    g.fillStyle = colour("muted");
    g.textAlign = "center"; g.textBaseline = "top";
    xTicks.forEach((v, i) => {
      const px = Math.round(s.x(v)) + 0.5;
      g.beginPath(); g.moveTo(px, s.box.y0); g.lineTo(px, s.box.y1); g.stroke();
      g.fillText(spec.x.names ? kx.pick(spec.x.names[i]) : tickLabel("x", v), px, s.box.y1 + 6);
    });
    g.textAlign = "right"; g.textBaseline = "middle";
    yTicks.forEach((v, i) => {
      const py = Math.round(s.y(v)) + 0.5;
      g.beginPath(); g.moveTo(s.box.x0, py); g.lineTo(s.box.x1, py); g.stroke();
      g.fillText(spec.y.names ? kx.pick(spec.y.names[i]) : tickLabel("y", v), s.box.x0 - 6, py);
    });
    g.fillStyle = colour("ink");
    g.textAlign = "center"; g.textBaseline = "bottom";
    g.fillText(kx.pick(spec.x.label || ""), (s.box.x0 + s.box.x1) / 2, s.box.y1 + MARGIN.bottom - 2);
    g.save();
    g.translate(12, (s.box.y0 + s.box.y1) / 2); g.rotate(-Math.PI / 2);
    g.textBaseline = "middle"; g.fillText(kx.pick(spec.y.label || ""), 0, 0);
    g.restore();
  };

  // ---- layers
  const mix = (a, b, t) => { // two #rrggbb colours
    const part = (hex, i) => parseInt(hex.slice(1 + 2 * i, 3 + 2 * i), 16);
    return `rgb(${[0, 1, 2].map((i) => Math.round(part(a, i) * (1 - t) + part(b, i) * t)).join(",")})`;
  };
  const cellColour = (layer, v) => {
    const [lo, hi] = layer.range;
    const t = Math.min(1, Math.max(0, (v - lo) / (hi - lo)));
    const [low, middle, high] = [colour(layer.low || "accent"), colour("surface"), colour(layer.high || "counter")];
    return t < 0.5 ? mix(low, middle, t * 2) : mix(middle, high, t * 2 - 1);
  };
  const edges = (centres) => centres.length < 2 ? [centres[0] - 0.5, centres[0] + 0.5]
    : [centres[0] - (centres[1] - centres[0]) / 2, ...centres.slice(1).map((c, i) => (c + centres[i]) / 2),
       centres.at(-1) + (centres.at(-1) - centres.at(-2)) / 2];

  const drawLayer = {
    cells(g, layer, s) {
      const ex = edges(layer.x), ey = edges(layer.y);
      layer.z.forEach((row, j) => row.forEach((v, i) => {
        if (!isNumber(v)) return;
        g.globalAlpha = layer.opacity ?? 1;
        g.fillStyle = cellColour(layer, v);
        const x = s.x(ex[i]), y = s.y(ey[j + 1]);
        g.fillRect(x, y, s.x(ex[i + 1]) - x + 0.6, s.y(ey[j]) - y + 0.6);
        if (layer.show_values && s.x(ex[i + 1]) - x > 34) {
          g.globalAlpha = 1; g.fillStyle = colour("ink"); g.textAlign = "center"; g.textBaseline = "middle";
          g.fillText(format(v), (x + s.x(ex[i + 1])) / 2, (y + s.y(ey[j])) / 2);
        }
      }));
    },
    arrows(g, layer, s) {
      g.strokeStyle = colour(layer.color || "muted");
      g.globalAlpha = 0.55;
      const longest = Math.max(...layer.u.map((u, i) => Math.hypot(u, layer.v[i]))) || 1;
      layer.x.forEach((x, i) => {
        const size = Math.hypot(layer.u[i], layer.v[i]);
        if (!size) return;
        const length = 5 + 13 * Math.sqrt(size / longest); // the root keeps slow regions readable
        const dx = (layer.u[i] / size) * length, dy = (-layer.v[i] / size) * length;
        const px = s.x(x), py = s.y(layer.y[i]), turn = Math.atan2(dy, dx);
        g.beginPath(); g.moveTo(px - dx / 2, py - dy / 2); g.lineTo(px + dx / 2, py + dy / 2);
        for (const side of [2.6, -2.6]) { g.moveTo(px + dx / 2, py + dy / 2); g.lineTo(px + dx / 2 + 4 * Math.cos(turn + side), py + dy / 2 + 4 * Math.sin(turn + side)); }
        g.stroke();
      });
    },
    line(g, layer, s) {
      g.strokeStyle = colour(layer.color || "ink");
      g.lineWidth = layer.width || 2;
      g.lineJoin = "round";
      g.setLineDash(layer.dash ? [6, 4] : []);
      g.beginPath();
      let pen = false;
      layer.x.forEach((x, i) => {
        const y = layer.y[i];
        if (!isNumber(x) || !isNumber(y)) { pen = false; return; }
        pen ? g.lineTo(s.x(x), s.y(y)) : g.moveTo(s.x(x), s.y(y));
        pen = true;
      });
      g.stroke();
    },
    band(g, layer, s) {
      g.fillStyle = colour(layer.color || "grey"); g.globalAlpha = 0.18;
      g.beginPath();
      layer.x.forEach((x, i) => g.lineTo(s.x(x), s.y(layer.y[i])));
      [...layer.x].reverse().forEach((x, i) => g.lineTo(s.x(x), s.y(layer.low.at(-1 - i))));
      g.fill();
    },
    points(g, layer, s) {
      g.textAlign = "center"; g.textBaseline = "middle";
      layer.x.forEach((x, i) => {
        if (!isNumber(x) || !isNumber(layer.y[i])) return;
        g.fillStyle = layer.classes ? colour(`class-${layer.classes[i] % 10}`) : colour(layer.color || "ink");
        if (layer.labels) { g.font = `600 ${layer.size || 11}px system-ui`; g.fillText(layer.labels[i], s.x(x), s.y(layer.y[i])); return; }
        g.beginPath(); g.arc(s.x(x), s.y(layer.y[i]), layer.size || 4, 0, 7); g.fill();
        if (layer.ring) { g.strokeStyle = colour("surface"); g.lineWidth = 2; g.stroke(); }
      });
    },
    bars(g, layer, s) {
      g.fillStyle = colour(layer.color || "ink"); g.globalAlpha = layer.opacity ?? 0.85;
      const all = layer.width || 0.8;
      layer.x.forEach((x, i) => {
        if (!isNumber(layer.y[i])) return;
        const left = s.x(x + (layer.offset || 0) - all / 2), right = s.x(x + (layer.offset || 0) + all / 2);
        const top = s.y(layer.y[i]), base = s.y(Math.max(s.ya, 0));
        g.fillRect(left, Math.min(top, base), Math.max(1, right - left), Math.abs(base - top));
      });
    },
    hline(g, layer, s) { drawLayer.line(g, { ...layer, width: layer.width || 1, x: [s.xa, s.xb], y: [layer.at, layer.at] }, s); drawNote(g, layer, s.box.x1 - 4, s.y(layer.at) - 4, "right"); },
    vline(g, layer, s) { drawLayer.line(g, { ...layer, width: layer.width || 1, x: [layer.at, layer.at], y: [s.ya, s.yb] }, s); const right = s.x(layer.at) > (s.box.x0 + s.box.x1) / 2; // the note stays inside
      drawNote(g, layer, s.x(layer.at) + (right ? -4 : 4), s.box.y0 + 14, right ? "right" : "left"); },
    text(g, layer, s) { layer.x.forEach((x, i) => drawNote(g, { ...layer, text: layer.text[i] }, s.x(x), s.y(layer.y[i]), layer.align || "left")); },
  };
  const drawNote = (g, layer, px, py, align) => {
    if (!layer.text) return;
    g.globalAlpha = 1; g.setLineDash([]); g.font = FONT; g.fillStyle = colour(layer.color || "muted"); g.textAlign = align; g.textBaseline = "bottom";
    g.fillText(kx.pick(layer.text), px, py);
  };

  const drawFigure = (g, spec, width, height) => {
    const s = makeScales(spec, width, height);
    const under = spec.layers.filter((l) => l.kind === "cells"), over = spec.layers.filter((l) => l.kind !== "cells");
    const layers = (list) => list.forEach((layer) => {
      g.save(); g.beginPath(); g.rect(s.box.x0, s.box.y0, s.box.x1 - s.box.x0, s.box.y1 - s.box.y0); g.clip();
      g.font = FONT; drawLayer[layer.kind](g, layer, s); g.restore();
    });
    layers(under); g.save(); drawAxes(g, spec, s); g.restore(); layers(over);
    return s;
  };

  // ---- what the pointer is on
  const nearest = (spec, s, px, py) => {
    const [x, y] = s.invert(px, py);
    const rows = [];
    const cells = spec.layers.find((l) => l.kind === "cells" && l.name);
    if (cells) {
      const closest = (list, v) => list.reduce((best, c, i) => (Math.abs(c - v) < Math.abs(list[best] - v) ? i : best), 0);
      const i = closest(cells.x, x), j = closest(cells.y, y);
      return { x: cells.x[i], rows: [[spec.y.label, cells.y[j], null], [cells.name, cells.z[j]?.[i], null]] };
    }
    const lines = spec.layers.filter((l) => (l.kind === "line" || l.kind === "bars") && l.name && l.x.length);
    if (!lines.length) return null;
    const at = lines[0].x.reduce((best, v) => (isNumber(v) && Math.abs(v - x) < Math.abs(best - x) ? v : best), Infinity);
    for (const layer of lines) {
      const i = layer.x.indexOf(at);
      if (i >= 0) rows.push([layer.name, layer.y[i], layer.color]);
    }
    return rows.length ? { x: at, rows } : null;
  };

  const csv = (spec) => {
    const quote = (v) => `"${String(kx.pick(v ?? "")).replaceAll('"', '""')}"`;
    const rows = [["layer", "x", "y", "value"].join(",")];
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
    const legend = () => {
      const box = find("legend"), seen = new Set();
      box.replaceChildren();
      for (const layer of spec.layers) {
        if (!layer.name || layer.kind === "cells" || seen.has(layer.name)) continue;
        seen.add(layer.name);
        const item = box.appendChild(document.createElement("span"));
        item.appendChild(Object.assign(document.createElement("i"), { className: layer.dash ? "dash" : "", style: `--mark: var(--kx-${layer.color || "ink"})` }));
        item.append(layer.name);
      }
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

    const place = (event) => { const r = find("canvas").getBoundingClientRect(); return [event.clientX - r.left, event.clientY - r.top]; };
    element.addEventListener("pointermove", (event) => { if (event.target === find("canvas")) { pointer = place(event); redraw(); } });
    element.addEventListener("pointerleave", () => { pointer = null; find("tip").hidden = true; redraw(); });
    element.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button?.dataset.save === "csv") save(new Blob(["\ufeff", csv(spec)], { type: "text/csv" }), `${spec.name || "figure"}.csv`);
      if (button?.dataset.save === "png") savePng();
      if (event.target === find("canvas") && scales && props.pickable) {
        const [x, y] = scales.invert(...place(event));
        if (x >= scales.xa && x <= scales.xb && y >= scales.ya && y <= scales.yb) trigger("pick", { x, y });
      }
    });
    const savePng = () => {
      const canvas = find("canvas"), sheet = document.createElement("canvas"), g = sheet.getContext("2d");
      sheet.width = canvas.width; sheet.height = canvas.height;
      g.fillStyle = colour("surface"); g.fillRect(0, 0, sheet.width, sheet.height);
      pointer = null; draw(); g.drawImage(canvas, 0, 0);
      sheet.toBlob((blob) => save(blob, `${spec.name || "figure"}.png`));
    };
    kx.listeners.add(redraw);
    new ResizeObserver(redraw).observe(find("box"));
    watch("value", read);
    read();
  };
})();

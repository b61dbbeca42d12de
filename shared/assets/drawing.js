// How a figure of shared/plots.py looks: axes and layers on a canvas, in the page's own colours.
(() => {
  const kx = window.kx;
  const MARGIN = { left: 62, right: 14, top: 10, bottom: 40 };
  const FONT = '12px system-ui, "PingFang SC", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif';

  const colour = (name) => {
    const style = getComputedStyle(document.body);
    return style.getPropertyValue(`--kx-${name}`).trim() || name;
  };
  const isNumber = (v) => typeof v === "number" && Number.isFinite(v);
  const format = (v) => {
    if (!isNumber(v)) return v === null || v === undefined ? "—" : String(v);
    const size = Math.abs(v);
    if (Number.isInteger(v) && size >= 1e4 && size < 1e9) return v.toLocaleString("en-US");
    if (size !== 0 && (size < 1e-3 || size >= 1e5)) return v.toExponential(2);
    return String(+v.toPrecision(4));
  };
  const superscript = (n) => String(n).replace(/./g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"["0123456789-".indexOf(c)]);

  const scientific = (log10) => { // numbers far outside a double's range
    const power = Math.floor(log10), lead = (10 ** (log10 - power)).toFixed(1);
    return power > -3 && power < 4 ? format(10 ** log10) : `${lead} × 10${superscript(power)}`;
  };

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
      if (layer.hidden) continue;
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
  const folded = (g, text, room) => { // a name on two lines where it would run into the next; a Latin word stays whole
    if (g.measureText(text).width <= room - 4 || text.length < 4) return [text];
    const middle = Math.ceil(text.length / 2), gap = text.indexOf(" ", middle - 2), latin = /^[\x20-\x7e]*$/.test(text);
    const at = gap > 0 ? gap : latin ? text.length : middle;
    return [text.slice(0, at), text.slice(at).trim()].filter(Boolean);
  };
  const drawAxes = (g, spec, s) => {
    g.font = FONT;
    g.lineWidth = 1;
    const tickLabel = (axis, v) => (spec[axis].log ? `10${superscript(v)}` : format(v));
    const xTicks = spec.x.ticks || niceTicks(s.xa, s.xb, Math.min(8, (s.box.x1 - s.box.x0) / 70), spec.x.log || spec.x.whole);
    const yTicks = spec.y.ticks || niceTicks(s.ya, s.yb, Math.min(7, (s.box.y1 - s.box.y0) / 42), spec.y.log || spec.y.whole);
    g.strokeStyle = colour("grid");
    g.fillStyle = colour("muted");
    g.textAlign = "center"; g.textBaseline = "top";
    const map = spec.layers.some((l) => l.kind === "cells"); // marks outside it, as lines would strike its cells out
    const slot = xTicks.length > 1 ? Math.abs(s.x(xTicks[1]) - s.x(xTicks[0])) : Infinity;
    const names = spec.x.names?.map(kx.pick), crowded = !spec.x.label && names?.some((name) => folded(g, name, slot).some((line) => g.measureText(line).width > slot));
    xTicks.forEach((v, i) => {
      const px = Math.round(s.x(v)) + 0.5;
      g.beginPath(); g.moveTo(px, map ? s.box.y1 + 4 : s.box.y0); g.lineTo(px, s.box.y1); g.stroke();
      const lines = !names ? [tickLabel("x", v)] : crowded ? [...Array(i % 2).fill(""), names[i]] : folded(g, names[i], slot);
      const room = names && xTicks.length > 1 ? slot * (crowded ? 2 : 1) - 4 : undefined; // what is still too long is drawn narrower
      lines.forEach((line, row) => g.fillText(line, px, s.box.y1 + 6 + 13 * row, room));
    });
    g.textAlign = "right"; g.textBaseline = "middle";
    yTicks.forEach((v, i) => {
      const py = Math.round(s.y(v)) + 0.5;
      g.beginPath(); g.moveTo(s.box.x0 - (map ? 4 : 0), py); g.lineTo(map ? s.box.x0 : s.box.x1, py); g.stroke();
      g.fillText(spec.y.names ? kx.pick(spec.y.names[i]) : tickLabel("y", v), s.box.x0 - 6, py);
    });
    if (map) g.strokeRect(s.box.x0 + 0.5, s.box.y0 + 0.5, s.box.x1 - s.box.x0 - 1, s.box.y1 - s.box.y0 - 1);
    g.fillStyle = colour("ink");
    g.textAlign = "center"; g.textBaseline = "bottom";
    const along = (text, x, y, angle, room) => { // smaller where it would not fit
      const fit = Math.min(1, room / (g.measureText(text).width || 1));
      g.save();
      g.translate(x, y); g.rotate(angle); g.scale(fit, fit);
      g.fillText(text, 0, 0);
      g.restore();
    };
    const middle = (s.box.y0 + s.box.y1) / 2, height = s.box.y1 + MARGIN.bottom;
    along(kx.pick(spec.x.label || ""), (s.box.x0 + s.box.x1) / 2, s.box.y1 + MARGIN.bottom - 2, 0, s.box.x1 - s.box.x0 + 2 * MARGIN.right);
    g.textBaseline = "middle";
    along(kx.pick(spec.y.label || ""), 9, middle, -Math.PI / 2, 2 * Math.min(middle, height - middle) - 4);
  };

  // ---- layers
  const mix = (a, b, t) => { // two #rrggbb colours
    const part = (hex, i) => parseInt(hex.slice(1 + 2 * i, 3 + 2 * i), 16);
    return `rgb(${[0, 1, 2].map((i) => Math.round(part(a, i) * (1 - t) + part(b, i) * t)).join(",")})`;
  };
  const shades = ({ low = "accent", high = "counter" }) => low === "surface" ? [low, high] : [low, "surface", high]; // over the page's surface
  const cellColour = (layer, v) => {
    const [lo, hi] = layer.range;
    const t = Math.min(1, Math.max(0, (v - lo) / (hi - lo)));
    const stops = shades(layer).map(colour), k = Math.min(stops.length - 2, Math.floor(t * (stops.length - 1)));
    return mix(stops[k], stops[k + 1], t * (stops.length - 1) - k);
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
          const [lo, hi] = layer.range, share = (v - lo) / (hi - lo);
          const deep = (layer.low === "surface" ? share : Math.abs(2 * share - 1)) > 0.72; // there the surface's colour reads better than ink
          g.globalAlpha = 1; g.fillStyle = colour(deep ? "surface" : "ink"); g.textAlign = "center"; g.textBaseline = "middle";
          g.fillText(layer.texts?.[j][i] ?? format(v), (x + s.x(ex[i + 1])) / 2, (y + s.y(ey[j])) / 2);
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
      if (layer.hidden) return; // its values are for the pointer and the CSV alone
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

  kx.drawing = { FONT, colour, isNumber, format, scientific, shades, drawFigure };
})();

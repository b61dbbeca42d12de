"""The calculator's tables: each dtype against the memory there is, and where the parameters lie. Pure."""

from __future__ import annotations

from shared.i18n import tr
from spaces.chat.calculator import Shape, fits, size

PARTS = {
    "tokens": tr("词表", "token table"),
    "positions": tr("位置", "positions"),
    "attention": tr("注意力", "attention"),
    "mlp": tr("前馈", "MLP"),
    "norms": "LN",
    "output": tr("输出", "output"),
}


def memory_table(shape: Shape, memory: int, sequences: int) -> str:
    """A row a dtype: weights, keys and values of a token and of full contexts, all of it against the memory."""
    titles = (
        "", tr("权重", "weights"), tr("每词元 KV", "KV a token"),
        tr(f"KV，{sequences} 份满上下文", f"KV, {sequences} full contexts"),
        tr("共需", "in all"), tr(f"这里 {size(memory)}", f"here {size(memory)}"),
    )  # fmt: skip
    lines = []
    for one in fits(shape, memory, sequences):
        share = min(1.0, one.needed / memory)
        verdict = tr("装得下", "fits") if one.fits else tr("装不下", "does not fit")
        bar = f'<i class="{"" if one.fits else "over"}" style="--share:{share:.3f}"></i>'
        lines.append(
            f"<tr><th>{one.dtype}</th><td>{size(one.weights)}</td><td>{size(shape.cache(one.dtype))}</td>"
            f"<td>{size(one.cache)}</td><td>{size(one.needed)}</td><td class=fit>{bar}{verdict}</td></tr>"
        )
    head = "".join(f"<th>{title}</th>" for title in titles)
    return f'<div class="kx-scroll"><table class="kx-table"><tr>{head}</tr>{"".join(lines)}</table></div>'


def parameter_bars(shape: Shape) -> str:
    """The parts of a model, the number and share of each."""
    lines = []
    for name, count in shape.parameters.items():
        if count:
            share = count / shape.total
            lines.append(
                f'<li><span>{PARTS[name]}</span><i style="--share:{share:.4f}"></i>'
                f"<small>{count:,} · {share:.1%}</small></li>"
            )
    return f'<ul class="ch-parts">{"".join(lines)}</ul>'


_SERVE = """# {where}
vllm serve TsinghuaAI/CPM-Generate --tensor-parallel-size 2
# {here}
OPENAI_BASE_URL=http://that-machine:8000/v1 python app.py"""
SERVE = tr(
    _SERVE.format(where="在有显卡的机器上，以 CPM 为例", here="这个页面，从那里取字"),
    _SERVE.format(where="on the machine with the GPUs, CPM for example", here="this page, streaming from it"),
)


def ways_out(shape: Shape, memory: int) -> str:
    """What to do where full precision does not fit, as commands."""
    if shape.needed("float32") <= memory:
        return ""
    title = tr("或者让服务器来跑，这个页面照常用", "or let a server run it; this page stays the same")
    return f'<div class="ch-ways"><p>{title}</p><pre>{SERVE}</pre></div>'

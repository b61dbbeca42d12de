"""Scientific Spaces, alive: one page, one tab per article.

    python app.py                  every tab on http://127.0.0.1:7860
    python app.py --only simsiam   one tab
    python app.py --share          and a public link

Host, port and root path follow gradio's GRADIO_SERVER_NAME, GRADIO_SERVER_PORT and GRADIO_ROOT_PATH. No weights are
loaded here: each experiment loads its own at first use.
"""

from __future__ import annotations

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
import spaces  # noqa: F401, I001  before torch and gradio: on ZeroGPU it patches both, elsewhere it is our own folder

import argparse
import importlib
import socket

import gradio as gr

from shared.experiment import Experiment
from shared.i18n import prose, tr
from shared.page import Page, claim, masthead, restore_from_link
from shared.theme import page as look

SLUGS = ("simsiam", "aquarium", "long_document", "attention", "chat", "gradient_flow", "xiangqi")
TITLE = tr("科学空间 · 活的文章", "Scientific Spaces, alive")
MOTTO = tr("把文章里的论证变成能动手的实验", "Articles that you can experiment with")
SHARE_HOST = ("api.gradio.app", 443)


def load(slug: str) -> Experiment:
    """The experiment that spaces/SLUG/ui.py offers."""
    return importlib.import_module(f"spaces.{slug}.ui").EXPERIMENT


def build(slugs: tuple[str, ...] = SLUGS, with_contents: bool = True) -> gr.Blocks:
    """The page with one tab for each slug, after a contents page."""
    experiments = [load(slug) for slug in slugs]
    page = Page()
    with gr.Blocks(title=TITLE, delete_cache=(3600, 24 * 3600)) as demo:  # each hour, uploads of a day ago
        masthead(TITLE, MOTTO)
        notice = gr.HTML(visible=False)
        with gr.Tabs(selected="home" if with_contents else slugs[0], overflow_behavior="wrap") as tabs:
            if with_contents:
                with gr.Tab(tr("目录", "Contents"), id="home") as home:
                    contents(experiments)
                home.select(None, js="() => kx.tabSelected('home')")
            for experiment in experiments:
                with gr.Tab(experiment.title, id=experiment.slug) as tab:
                    page.slug = experiment.slug
                    claim(experiment.claim, experiment.archive)
                    experiment.build(page)
                tab.select(None, js=f"() => kx.tabSelected({experiment.slug!r})")
        gr.HTML(colophon())
        restore_from_link(demo, tabs, notice, slugs, page.views)
    return demo.queue(max_size=64, api_open=False)


def contents(experiments: list[Experiment]) -> None:
    """The introduction and a card for each experiment."""
    gr.HTML(
        prose(
            "苏剑林的博客《科学空间》用公式和小实验讲道理。这里把 2020 年 12 月首页上的文章做成可以亲手拨动的实验："
            "先看论断，再动旋钮，看它何时成立、何时失灵。设置可以复制成链接发给朋友。",
            "The blog 科学空间 (Scientific Spaces, by Su Jianlin) argues with formulas and small experiments. Here the "
            "articles on its front page of December 2020 become experiments that you can touch: read the claim, turn a "
            "knob, and see when it holds and when it fails. Any state can be copied as a link.",
        ).replace("\n\n", "")
    )
    cards = "".join(
        f'<a class="kx-card" href="?tab={e.slug}" data-kx="tab:{e.slug}"><strong>{e.title}</strong>'
        f"<span>{e.claim}</span><em>{e.invitation}</em></a>"
        for e in experiments
    )
    gr.HTML(f'<nav class="kx-contents">{cards}</nav>')


def colophon() -> str:
    """The foot of the page."""
    said = tr(
        "独立项目，与博客作者无隶属关系；论断出自原文，代码与实验是我们的。Apache-2.0。",
        "An independent project, not affiliated with the blog's author: the claims are the articles', the code and the "
        "experiments ours. Apache-2.0.",
    )
    return f'<p class="kx-colophon">{said}</p>'


def reachable(address: tuple[str, int], seconds: float = 3) -> bool:
    """Whether a TCP connection to the address opens in time."""
    try:
        socket.create_connection(address, seconds).close()
        return True
    except OSError:
        return False


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=SLUGS, help="build this tab alone")
    parser.add_argument("--share", action="store_true", help="also open a public link through gradio's relay")
    options = parser.parse_args(arguments)
    share = options.share
    if share and not reachable(SHARE_HOST):
        print("--share: gradio's relay cannot be reached from here, so the page is served locally only.", flush=True)
        share = False
    if share:
        os.environ["PUBLIC_PAGE"] = "1"  # strangers will come: shared/models.py loads from its allow-list only
    page = build((options.only,), with_contents=False) if options.only else build()
    page.launch(
        share=share or None,
        ssr_mode=False,
        show_error=True,
        footer_links=["api"],
        max_file_size="100mb",
        **look(),
    )


if __name__ == "__main__":
    main()

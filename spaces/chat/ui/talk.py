"""The conversation: asked and answered in 问/答 form, by one model or by two side by side; kept in the browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from shared.component import packed
from shared.experiment import InputError, from_values
from shared.i18n import prose, tr
from shared.page import Page, complain, guard
from spaces.chat import voices
from spaces.chat.answer import ENDS
from spaces.chat.history import MOST_BYTES, ROOT, Conversation, from_json, from_markdown
from spaces.chat.settings import Talking
from spaces.chat.talk import Live, Talk
from spaces.chat.ui.component import component
from spaces.chat.ui.knobs import QUIET, RUN, deed, demonstration, found, model_knob, sampling_knobs, text_of, whole

LIGHT = 6000
"""Characters of a conversation that travel along while somebody answers."""
ONCE = """() => {
  const press = () => {
    const button = document.getElementById("chat-recall");
    if (button) button.click(); else setTimeout(press, 100);
  };
  kx.chatRecalled ??= (press(), true);
}"""
SAVE = """(text, kind) => {
  if (!text) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  link.download = "chat." + kind;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}"""
FORGET = """() => {
  const button = document.getElementById("chat-forget"), now = performance.now(), since = now - (kx.chatArmed ?? -1e9);
  if (since < 500) return; // the second half of a double click
  const usual = () => { button.textContent = "%s"; delete kx.chatArmed; };
  clearTimeout(kx.chatUsual);
  if (since < 4000) { usual(); document.getElementById("chat-forget-now").click(); return; }
  kx.chatArmed = now;
  button.textContent = "%s";
  kx.chatUsual = setTimeout(usual, 4000);
}"""
FORGOTTEN = tr("清空全部对话", "Forget all"), tr("再按一次清空", "Press again to forget all")
ASKED = (
    "最近总是失眠，怎么办？",
    "北京有什么好玩的地方？",
    "你喜欢看什么电影？",
    "我和朋友吵架了，心里很难受。",
)
FORMS = [
    (tr("问/答文本（completions）", "问/答 text (completions)"), "text"),
    (tr("消息（chat completions）", "messages (chat completions)"), "messages"),
]
EXPLANATION = prose(
    """**没有系统提示。** 对话写成“问：…答：…”的文本，交给模型续写，到下一个“问”为止。每个问题、每个回答都可以另写一遍：
旧的成为分支，用 ‹ › 换回来。上下文放不下时，最早的几轮先掉出去，红线以上的，模型已经读不到了。

对话只存在你的浏览器里；“导出”可得 JSON（所有分支）或 Markdown（眼前这一支），都能再读入。
**内置的小模型只是演示**：它的对话多半学自机器写的倾诉对白，会说错，不能当作意见、诊断或建议。""",
    """**No system prompt.** The conversation is a text, “问：… 答：…”, that the model continues up to the next 问.
Every question can be edited and every answer retried: the old one becomes a branch, and ‹ › go back to it. What does
not fit the context falls out, the earliest turns first: the model no longer reads what stands above the red line.

Conversations are kept in your browser only; they go out as JSON (all branches) or Markdown (the branch in view) and
come in again. **The small model that ships is a demonstration**: most of its dialogue is machine-written support chat;
it errs, and nothing it says is an opinion, a diagnosis or advice.""",
)


# --- what the page shows --------------------------------------------------------------------------------


def view(talk: Talk, said: str = "", refused: bool = False) -> str:
    """The component's value."""
    with talk.lock:
        conversation, branch = talk.conversation, talk.conversation.branch()
        size = sum(len(conversation.turns[i].text) for i in branch)
        value: dict[str, Any] = {
            "busy": talk.busy, "said": said, "refused": refused, "live": [_live(one) for one in talk.live],
            "asked": conversation.turns[branch[-1]].role == "user" if branch else False,
        }  # fmt: skip
        if not talk.busy or size <= LIGHT or not any(one.reply.count for one in talk.live):
            places = conversation.places()
            value["turns"] = [_turn(talk, i, places) for i in branch]
            value["shelf"] = [_title(one) for one in talk.shelf]
            value["samples"] = [] if branch else ASKED
            value["since"] = talk.since if talk.since in branch[1:] else ROOT
        return packed(value)


def _live(one: Live) -> dict[str, Any]:
    reply = one.reply
    used = reply.prompt_tokens + reply.count
    return {"text": reply.text, "model": one.label, "cost": voices.described(reply, one.voice.memory(used))}


def _turn(talk: Talk, i: int, places: dict[tuple[int, str], list[int]]) -> dict[str, Any]:
    conversation = talk.conversation
    turn, cost = conversation.turns[i], talk.costs.get(i)
    versions = places[turn.parent, turn.role]
    value: dict[str, Any] = {
        "id": i, "role": turn.role, "text": turn.text, "model": turn.model, "versions": versions, "cost": cost,
        "end": _ending(cost),
    }  # fmt: skip
    if turn.role == "model" and i == conversation.current:
        value["beside"] = [
            {"id": j, "text": conversation.turns[j].text, "model": conversation.turns[j].model,
             "cost": talk.costs.get(j), "end": _ending(talk.costs.get(j))}
            for j in beside(conversation, i)
        ]  # fmt: skip
    return value


def beside(conversation: Conversation, turn: int) -> list[int]:
    """The newest answers of other models (talk.py counts one that answers twice) at the same place."""
    newest = {conversation.turns[j].model: j for j in conversation.versions(turn)}
    newest.pop(conversation.turns[turn].model, None)
    return list(newest.values())


def _ending(cost: dict[str, Any] | None) -> str:
    if not cost:
        return ""
    zh, en = ENDS[cost["finish"]]
    cut = cost["cut"]
    also = (f"；开头 {cut:,} 字没有读到", f"; its first {cut:,} characters were not read") if cut else ("", "")
    usual = cost["finish"] in ("end", "stop") and not cut
    return "" if usual else tr(zh + also[0], en + also[1])


def _title(conversation: Conversation) -> str:
    first = next((turn.text for turn in conversation.turns if turn.role == "user"), "")
    short, count = " ".join(first.split())[:24] or "…", len(conversation.turns)
    return tr(f"{short}（{count} 条）", f"{short} ({count} message{'s' * (count > 1)})")


# --- what the page asks for -----------------------------------------------------------------------------

Knobs = Callable[[], Talking]  # read where somebody is to answer: a bad one stops nothing else

def act(talk: Talk, kept: Any, event: gr.EventData, *values) -> Iterator[list[Any]]:
    """A deed of the page, and the answers because of it; whatever is refused leaves the conversation as it is."""
    try:
        recalled(talk, kept)
        for said in deed(event._data, VERBS)(talk, event._data, partial(from_values, Talking, values)):
            yield [view(talk, said), gr.skip() if talk.busy else memory(talk)]
    except InputError as error:
        complain(error)
        yield [view(talk, refused=True), memory(talk)]


def memory(talk: Talk) -> str:
    """What the browser is to keep; what it has no room for is told, once."""
    before, kept = talk.unkept, talk.keep()
    if talk.unkept > before:
        zh = f"浏览器里存不下全部对话，有 {talk.unkept} 段不会留到下次。"
        complain(InputError("history", zh, f"is too long for the browser: {talk.unkept} will not survive a reload."))
    return kept


def _answered(talk: Talk, knobs: Knobs, say: Callable[[], None]) -> Iterator[str]:
    """Load who is to answer, then say what is to be said, then let them answer."""
    how, heard, told = knobs(), [], set()
    for name in [how.model] + [how.second] * bool(how.second.strip()):
        for said, voice in found(name, how.precision):
            if voice is None:
                yield said
        heard.append(voice)
    say()
    for _ in talk.answers(heard, how.sampling, how.form):
        for i, one in enumerate(talk.live):
            if one.reply.note and i not in told:
                told.add(i)
                complain(one.reply.note)
        yield ""


def _ask(talk: Talk, data: dict, knobs: Knobs) -> Iterator[str]:
    text = text_of(data)
    if not text.strip():
        raise InputError("prompt", "请先写点什么。", "is empty: write something first.")
    yield from _answered(talk, knobs, lambda: talk.ask(text.strip()))


def _edit(talk: Talk, data: dict, knobs: Knobs) -> Iterator[str]:
    turn, text = whole(data, "turn"), text_of(data)
    if not text.strip():
        raise InputError("prompt", "请先写点什么。", "is empty: write something first.")
    yield from _answered(talk, knobs, lambda: talk.edit(turn, text.strip()))


def _again(talk: Talk, data: dict, knobs: Knobs) -> Iterator[str]:
    turn = whole(data, "turn")
    yield from _answered(talk, knobs, lambda: talk.again(turn))


def _at_once(change: Callable[[Talk, dict], None]) -> Callable:
    def verb(talk: Talk, data: dict, knobs: Knobs) -> Iterator[str]:
        change(talk, data)
        yield ""

    return verb


VERBS = {
    "ask": _ask,
    "edit": _edit,
    "again": _again,
    "stop": _at_once(lambda talk, data: talk.stop()),
    "show": _at_once(lambda talk, data: talk.show(whole(data, "turn"))),
    "back": _at_once(lambda talk, data: talk.back(whole(data, "turn"))),
    "begin": _at_once(lambda talk, data: talk.begin()),
    "fetch": _at_once(lambda talk, data: talk.fetch(whole(data, "index"))),
    "forget": _at_once(lambda talk, data: talk.forget()),
}


def recalled(talk: Talk, kept: Any) -> None:
    """Take up what the browser kept; damaged memory is told once and forgotten."""
    try:
        talk.recall(kept)
    except InputError as error:
        complain(error)


def recall(talk: Talk, kept: Any) -> Any:
    """The conversation that this browser kept; nothing where the session is in use already."""
    if not talk.fresh:
        return gr.skip()
    recalled(talk, kept)
    return view(talk)


def export(talk: Talk, kept: Any, kind: str) -> str:
    """The conversation as JSON or Markdown."""
    recalled(talk, kept)
    if not talk.conversation.turns:
        raise InputError("history", "还没有对话可导出。", "is empty: there is nothing to export.")
    return talk.conversation.to_json() if kind == "json" else talk.conversation.to_markdown()


def take_file(talk: Talk, kept: Any, path: str | None) -> list[Any]:
    """A conversation from an exported file."""
    recalled(talk, kept)
    if not path or Path(path).stat().st_size > MOST_BYTES:
        zh, en = f"文件至多 {MOST_BYTES // 10**6} MB。", f"must be a file of at most {MOST_BYTES // 10**6} MB."
        raise InputError("history", zh, en)
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("history", "须为 UTF-8 文本。", "must be text in UTF-8.") from None
    talk.read(from_json(text) if text.lstrip().startswith("{") else from_markdown(text))
    return [view(talk), memory(talk)]


def build(page: Page, tabs: gr.Tabs) -> None:
    """Draw the view."""
    default = Talking(model=voices.default(), second="")
    demonstration()
    talk = gr.State(Talk(), time_to_live=6 * 3600)
    kept = gr.BrowserState("", storage_key="scientific-spaces-chat", secret="not a secret, but it must stay")
    panel = component("talk", view(Talk()), elem_id="chat-talk")
    with gr.Accordion(tr("模型与抽样", "Model and sampling"), open=False, elem_id="chat-talk-knobs"):
        knobs: dict[str, gr.components.Component] = {}
        with gr.Row():
            knobs["model"] = model_knob(default.model, min_width=240, elem_id="chat-first")
            knobs["second"] = model_knob(
                default.second, tr("并排的第二个模型", "a second model, side by side"),
                tr("留空：没有；内置的写 default", "empty: nobody; default: the one that ships"),
                min_width=240, elem_id="chat-second",
            )  # fmt: skip
        knobs |= sampling_knobs(default)
        served = voices.default() == voices.SERVER
        knobs["form"] = gr.Radio(
            FORMS, value=default.form, visible=served, label=tr("怎样交给服务器", "how a server gets it")
        )
    with gr.Accordion(tr("导出、导入、清空", "Export, import, forget"), open=False), gr.Row(elem_classes="kx-controls"):
        saves = {
            "md": gr.Button(tr("存为 Markdown", "Save as Markdown"), elem_id="chat-save-md", min_width=140),
            "json": gr.Button(tr("存为 JSON", "Save as JSON"), elem_id="chat-save-json", min_width=140),
        }
        upload = gr.UploadButton(tr("读入文件", "Open a file"), elem_id="chat-open", min_width=140)
        forget = gr.Button(FORGOTTEN[0], elem_id="chat-forget", min_width=140)
        sure = gr.Button(visible="hidden", elem_id="chat-forget-now")
    link = page.link_button("chat")
    gr.Markdown(EXPLANATION)
    text, kind = gr.Textbox(visible=False), gr.Textbox(visible=False)

    order = [knobs[f.name] for f in fields(Talking)]
    outputs = [panel, kept]
    panel.act(act, [talk, kept, *order], outputs, **RUN)
    page.view("chat", Talking, knobs, link, tabs=tabs)
    remembered = gr.Button(visible="hidden", elem_id="chat-recall")
    remembered.click(recall, [talk, kept], panel, **QUIET)
    kept.change(None, None, None, js=ONCE)
    for name, button in saves.items():
        write = guard(lambda t, k, name=name: [export(t, k, name), name])
        button.click(write, [talk, kept], [text, kind], **QUIET).success(None, [text, kind], None, js=SAVE)
    upload.upload(guard(take_file), [talk, kept, upload], outputs, **QUIET)
    forget.click(None, None, None, js=FORGET % FORGOTTEN)
    sure.click(guard(forgotten), [talk], outputs, **QUIET)


def forgotten(talk: Talk) -> list[Any]:
    """Everything gone, here and in the browser."""
    talk.forget()
    return [view(talk), memory(talk)]

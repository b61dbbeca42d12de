"""Few-shot tasks: questions whose answer stands in the prompt, and facts the model may know.

A task is a function of a random generator that settles what one prompt asks for (which slot to extract, which
separator) and goes on to yield (question, answer) pairs for its shots, without end.
"""

from __future__ import annotations

from spaces.chat.tasks import extraction, knowledge, numbers, rearranging
from spaces.chat.tasks.words import Pair, Task

KNOWN: dict[str, Task] = knowledge.TASKS
IN_PROMPT: dict[str, Task] = {
    name: task
    for module in (rearranging, numbers, extraction)
    for name, task in vars(module).items()
    if getattr(task, "__module__", None) == module.__name__
}

__all__ = ["IN_PROMPT", "KNOWN", "Pair", "Task"]

"""CPM chat: few-shot prompting with a small Chinese GPT-2 of the CPM recipe, or with the real 2.6 B weights."""

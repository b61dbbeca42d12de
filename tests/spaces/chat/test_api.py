"""`chat` as plain Python: streamed, repeatable, refused in a sentence, and gone when nobody listens."""

import pytest

from shared.experiment import InputError
from spaces.chat.answer import answer
from spaces.chat.api import chat
from spaces.chat.sampling import Sampling
from spaces.chat.voices import speaker
from tests.spaces.chat.tiny import tiny


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("api") / "tiny")


def test_the_continuation_grows_to_what_the_engine_says(model):
    parts = list(chat("床前明月光，", model, 20, 1.0, 0.95, 3))
    assert all(b.startswith(a) for a, b in zip(parts, parts[1:], strict=False))
    expected = list(answer(speaker(model), "床前明月光，", Sampling(1.0, 0.95, max_new_tokens=20, seed=3)))[-1].text
    assert parts[-1] == expected != list(chat("床前明月光，", model, 20, 1.0, 0.95, 4))[-1]


@pytest.mark.parametrize(
    "asked, field",
    [
        (("",), "prompt"), (("x", "/no/such/folder"), "model"), (("x", 3), "model"), (("x", None), "model"),
        (("x", "", 0), "max_new_tokens"),
        (("x", "", 5, -1.0), "temperature"), (("x", "", 5, 1.0, 2.0), "top_p"), (("x", "", 5, 1.0, 1.0, -1), "seed"),
    ],
)  # fmt: skip
def test_bad_input_is_named(asked, field):
    with pytest.raises(InputError) as caught:
        list(chat(*asked))
    assert caught.value.field == field


def test_closed_early_nothing_goes_on(model):
    stream = chat("床前明月光，", model, 100)
    next(stream)
    assert speaker(model).batch.active == 1
    stream.close()
    assert speaker(model).batch.active == 0

"""What is cut from a sentence stands in it, and shots of one prompt are of one kind."""

from spaces.chat.sentences import pairs, prompts

TEXT = "用户：我在1936年读过《呐喊》这本书，印象很深。\n助手：张华在北京买了3斤苹果！真好。他说“你好”，然后走了。"


def test_rules_find_their_pieces():
    found = set(pairs(TEXT))
    sentence = "我在1936年读过《呐喊》这本书，印象很深。"
    assert {("title", (sentence, "呐喊")), ("year", (sentence, "1936年")), ("number", (sentence, "1936"))} <= found
    assert {("first", (sentence, "我在1936年读过《呐喊》这本书")), ("last", (sentence, "印象很深"))} <= found
    assert ("quoted", ("他说“你好”，然后走了。", "你好")) in found
    assert ("person", ("张华在北京买了3斤苹果！", "张华")) in found
    assert ("place", ("张华在北京买了3斤苹果！", "北京")) in found


def test_answers_stand_in_their_sentence():
    for _, (sentence, answer) in pairs(TEXT):
        assert answer and answer in sentence and 8 <= len(sentence) <= 60


def test_no_kind_exceeds_its_share():
    texts = [f"第{i}个人在《书{i}》里写了一句话。" for i in range(50)]
    most = {"person": 0, "place": 0, "other": 6}
    said = list(prompts(texts, 1, most))
    used = {i for i in range(50) if any(f"《书{i}》" in prompt for prompt in said)}
    assert said == list(prompts(texts, 1, most)) and 6 <= len(used) <= 6 * 4  # title, number, copy and the rest of 6

"""Both languages in one text."""

from shared.i18n import markup, number, pick, power_of_ten, prose, tr


def test_a_text_holds_both_halves_and_a_text_without_a_separator_is_its_own_translation():
    assert pick(tr("零", "zero"), "zh") == "零" and pick(tr("零", "zero"), "en") == "zero"
    assert pick("0", "zh") == pick("0", "en") == "0"


def test_numbers_have_a_real_minus_sign_and_zero_has_none():
    assert number(-1.25, 1) == "−1.2" and number(-0.01, 1) == "0.0" and power_of_ten(-42) == "10⁻⁴²"


def test_prose_joins_chinese_lines_and_keeps_paragraphs_and_english_lines():
    text = prose("一行，\n二行。\n\n三行 $x$\n四行", "one\ntwo")
    assert "一行，二行。\n\n三行 $x$\n四行" in text and "one\ntwo" in text
    assert markup("<b>一</b>", "<b>1</b>").count("<b>") == 2

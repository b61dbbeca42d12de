"""The promised interface, through gradio_client on the running app."""

from __future__ import annotations

import json

import pytest
from gradio_client import Client

import app
from tests.spaces.chat.tiny import tiny

PROMISED = {
    "simsiam": "/simsiam_train",
    "aquarium": "/aquarium_simulate",
    "attention": "/attention_error",
    "long_document": "/classify_document",
    "chat": "/chat",
    "gradient_flow": "/gradient_flow",
    "xiangqi": "/xiangqi_move",
}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def client(address) -> Client:
    return Client(address, verbose=False)


def test_simsiam_train_returns_rows_of_equal_length(client):
    settings = {
        "stop_gradient": False,
        "steps": 10,
        "seed": 1,
        "batch_size": 32,
        "dataset": "digits",
        "predictor": "mlp",
    }
    out = client.predict(json.dumps(settings), api_name="/simsiam_train")
    assert set(out) == {"steps", "loss", "std", "effective_rank", "knn"}
    assert {len(rows) for rows in out.values()} == {len(out["steps"])}
    assert out["steps"][0] == 0 and out["steps"][-1] == 10
    assert out["std"][-1] < out["std"][0]


def test_empty_settings_are_the_defaults_but_bad_ones_are_named(client):
    for bad, field in [
        ('{"steps": 0}', "steps"),
        ('{"predictor": "oracle"}', "predictor"),
        ("{", "settings"),
        ('{"x": 1}', "x"),
    ]:
        with pytest.raises(Exception, match=field) as caught:
            client.predict(bad, api_name="/simsiam_train")
        assert "\n" not in str(caught.value).strip()


def test_gradient_flow_gives_a_logarithm_for_every_step(client):
    settings = {"cells": ["rnn", "lstm", "transformer"], "hidden": 8, "length": 30, "seed": 3}
    norms = client.predict(json.dumps(settings), api_name="/gradient_flow")["log10_norms"]
    assert {name: len(values) for name, values in norms.items()} == {"rnn": 30, "lstm": 30, "transformer": 30}
    assert norms["rnn"][0] < norms["lstm"][0] < norms["lstm"][-1] + 3


def test_gradient_flow_goes_far_below_the_smallest_float(client):
    settings = {"cells": ["rnn"], "length": 1000, "spectral_radius": 0.5, "input": "constant", "input_scale": 0.0}
    norms = client.predict(json.dumps(settings | {"hidden": 4}), api_name="/gradient_flow")["log10_norms"]["rnn"]
    assert norms[0] < -264 and norms[0] == pytest.approx(1000 * -0.30103, abs=1)  # 0.5^1000
    exploded = client.predict(
        json.dumps({"cells": ["rnn_relu"], "length": 1000, "spectral_radius": 10.0, "hidden": 4}),
        api_name="/gradient_flow",
    )
    assert exploded["exploded"]["rnn_relu"] and exploded["regime"]["rnn_relu"] == "explode"


def test_gradient_flow_names_what_is_wrong(client):
    for bad, field in [('{"hidden": 257}', "hidden"), ('{"cells": ["elman"]}', "cells"), ('{"text": ""}', "text")]:
        with pytest.raises(Exception, match=field):
            client.predict(bad, api_name="/gradient_flow")


def test_aquarium_simulate_gives_a_history_and_its_alarms(client):
    settings = {"days": 40, "stocking_day": 0, "temperature": 26, "parameters": {"ration": 0.008}}
    out = client.predict(json.dumps(settings), api_name="/aquarium_simulate")
    series = ("day", "tan", "nh3", "no2", "no3", "oxygen", "bed_oxygen", "alkalinity_used")
    assert {len(out[name]) for name in series} == {len(out["day"])} and out["day"][-1] == 40
    assert out["day"][out["tan"].index(max(out["tan"]))] < out["day"][out["no2"].index(max(out["no2"]))]
    assert {"nh3", "no2"} <= {a["name"] for a in out["alarms"] if a["level"] == "harm"}
    assert abs(out["imbalance"]) < 1e-6 and "measured nothing" in out["note"]


def test_aquarium_simulate_names_what_is_wrong(client):
    for bad, field in [
        ('{"ph": 12}', "ph"),
        ('{"removed": "fish"}', "removed"),
        ('{"parameters": {"luck": 1}}', "luck"),
        ('{"days": 1e9}', "days"),
    ]:
        with pytest.raises(Exception, match=field) as caught:
            client.predict(bad, api_name="/aquarium_simulate")
        assert "\n" not in str(caught.value).strip()


def test_attention_error_stands_beside_the_closed_form(client):
    asked = {"kind": "hyperbolic", "draw": "iid", "features": 64, "dim": 8, "norm": 0.6, "keys": 32, "repeats": 1000}
    out = client.predict(json.dumps(asked), api_name="/attention_error")
    assert out["kernel"]["relative_rmse"] == pytest.approx(out["kernel"]["closed_form"], rel=0.2)
    assert out["taylor"]["relative_error"] < out["attention"]["relative_error"]
    for bad, field in [('{"kind": "cosine"}', "kind"), ('{"features": 3}', "count"), ("[]", "settings")]:
        with pytest.raises(Exception, match=field):
            client.predict(bad, api_name="/attention_error")


def test_classify_document_reads_the_beginning_or_the_whole(client):
    text = "第一条 为了保护水源，根据有关法律，制定本条例。\n" * 40
    for reading, most in (("512", 512), ("whole", 10**6), ("sliding", 10**6)):
        found = client.predict(text, "province", reading, api_name="/classify_document")
        assert found["label"] == max(found["scores"], key=found["scores"].get) and found["tokens"] <= most
        assert sum(found["scores"].values()) == pytest.approx(1, abs=1e-3) and found["seconds"] > 0
    bad = {"text": ("", "province", "whole"), "task": (text, "mood", "whole"), "reading": (text, "genre", "2")}
    for field, values in bad.items():
        with pytest.raises(Exception, match=field):
            client.predict(*values, api_name="/classify_document")


def test_xiangqi_move_answers_a_game_and_names_what_is_wrong(client):
    out = client.predict("", "h2e2 h9g7", "sighted", api_name="/xiangqi_move")
    assert out["move"] in out["legal"] and set(out["policy"]) == set(out["legal"]) and out["fen"].split()[1] == "b"
    assert sum(out["policy"].values()) + out["illegal_mass"] == pytest.approx(1, abs=1e-3)
    for field, sentence, values in (
        ("moves", "move 2, a9a5, is not legal", ("", "h2e2 a9a5", "sighted")),
        ("level", "must be one of", ("", "", "grandmaster")),
        ("fen", "10 ranks", ("9/9 w", "", "sighted")),
    ):
        with pytest.raises(Exception, match=f"{field}: .*{sentence}") as caught:
            client.predict(*values, api_name="/xiangqi_move")
        assert "\n" not in str(caught.value).strip()


def test_chat_streams_a_continuation_and_names_what_is_wrong(client, tmp_path):
    model = tiny(tmp_path / "tiny")
    asked = ("法国 巴黎\n中国 ", model, 12, 1.0, 0.95, 5)
    job = client.submit(*asked, api_name="/chat")
    whole = job.result(timeout=60)
    assert job.outputs()[-1] == whole == client.predict(*asked, api_name="/chat") and whole
    assert all(whole.startswith(part.rstrip("\ufffd")) for part in job.outputs())
    for values, field in ((("", model), "prompt"), (("x", "/no/such/folder"), "model"), (("x", model, 0), "max_new")):
        with pytest.raises(Exception, match=field) as caught:
            client.predict(*values, api_name="/chat")
        assert "\n" not in str(caught.value).strip()


def test_only_promised_names_are_offered(client):
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == {PROMISED[slug] for slug in app.SLUGS}

"""The promised interface, through gradio_client on the running app."""

from __future__ import annotations

import json

import pytest
from gradio_client import Client

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


def test_only_promised_names_are_offered(client):
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == {"/simsiam_train"}

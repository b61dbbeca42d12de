from spaces.simsiam.open_question import answers, line
from spaces.simsiam.settings import Settings


def test_every_way_to_put_the_question():
    found = list(answers(Settings(steps=4, batch_size=16, dim=8), seeds=2))
    assert len({(a.target, a.distance, a.stop_gradient, a.predictor) for a in found}) == 16
    assert all(len(a.runs) == 2 and [f.step for f in a.runs[0].frames] == [0, 1, 2, 3, 4] for a in found)
    assert all(a.runs[0].size[0] == 1 for a in found)
    assert line(found[0]).startswith("| mean | squared | no | none | ") and line(found[0]).count("|") == 10

import pytest

from shared.experiment import InputError
from spaces.simsiam import races
from spaces.simsiam.live import advance, start
from spaces.simsiam.races import optimiser_race, point_of_no_return, rate_map
from spaces.simsiam.settings import Settings

SMALL = Settings(batch_size=32, dim=16)


def test_return_is_the_run_with_changed_settings():
    runs = [r for r in point_of_no_return(SMALL, off=4, waits=(3, 1), after=12) if r.done]
    assert [r.wait for r in runs] == [0, 1, 3]
    state, _ = advance(start(SMALL), SMALL, 4)
    state, frames = advance(state, SMALL.but(stop_gradient=False), 3, 1)
    assert runs[2].at_return == frames[-1].std
    state, frames = advance(state, SMALL, 12, 1)
    assert runs[2].curve.steps[-1] == 19 and runs[2].curve.std[-1] == frames[-1].std
    assert all(r.curve.steps == tuple(sorted(r.curve.steps)) for r in runs)


def test_partial_results_grow():
    lengths = [len(r.curve.steps) for r in point_of_no_return(SMALL, off=2, waits=(), after=30)]
    assert lengths == sorted(set(lengths)) and len(lengths) == 3


def test_race_has_every_racer_on_the_same_start():
    lanes = {(lane.racer, lane.stop_gradient): lane for lane in optimiser_race(SMALL, steps=15)}
    assert set(lanes) == {(name, on) for name in races.RACERS for on in (True, False)}
    starts = [lane.curve.std[0] for lane in lanes.values()]
    assert max(starts) - min(starts) < 1e-3  # the memory layouts of L-BFGS and the others differ
    assert all(lane.curve.steps == (0, 5, 10, 15) for lane in lanes.values())
    assert lanes["lbfgs", False].curve.std[-1] < 0.5 * lanes["lbfgs", True].curve.std[-1]


def test_map_fills_every_cell_and_cells_replay():
    cells = list(rate_map(SMALL, (0.1, 10.0), (0.01, 0.1, 0.3), steps=3))
    assert {(c.row, c.column) for c in cells} == {(r, c) for r in range(2) for c in range(3)}
    cell = cells[0]
    assert cell.settings.predictor_rate == (0.1, 10.0)[cell.row]
    _, frames = advance(start(cell.settings), cell.settings, 3, 3)
    assert frames[-1].std == cell.std


def test_generators_close(monkeypatch):
    calls = []
    real = races.advance_here
    monkeypatch.setattr(races, "advance_here", lambda *a: calls.append(1) or real(*a))
    cells = rate_map(SMALL, steps=1)
    next(cells)
    cells.close()
    assert len(calls) == 1 and next(cells, None) is None


@pytest.mark.parametrize("make, field", [
    (lambda: point_of_no_return(SMALL, off=-1), "off"), (lambda: point_of_no_return(SMALL, waits=(0,)), "waits"),
    (lambda: point_of_no_return(SMALL, after=1000), "after"), (lambda: optimiser_race(SMALL, steps=0), "steps"),
    (lambda: rate_map(SMALL, range(15), range(1, 16)), "rates"), (lambda: rate_map(SMALL, steps=2.5), "steps"),
    (lambda: rate_map(SMALL, (1e9,)), "predictor_rate"),
])  # fmt: skip
def test_bad_input_is_named(make, field):
    with pytest.raises(InputError) as error:
        next(make())
    assert error.value.field == field

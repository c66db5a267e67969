"""PlotHistory: in a notebook one place that is drawn anew after every epoch, elsewhere nothing; it keeps nothing."""

import copy
import pickle

import pytest

from jaxseq.api import live_plot
from jaxseq.callbacks import BackupAndRestore, LambdaCallback, PlotHistory


@pytest.fixture
def page(monkeypatch):
    """What a notebook would show: {place: all that stood there}."""
    import IPython.display

    shown = {}

    def display(value, display_id):
        assert display_id not in shown
        shown[display_id] = [value]

    monkeypatch.setattr(live_plot, "in_notebook", lambda: True)
    monkeypatch.setattr(IPython.display, "display", display)
    monkeypatch.setattr(IPython.display, "update_display", lambda value, display_id: shown[display_id].append(value))
    return shown


def test_one_place_is_drawn_once_per_epoch(model, data, page):
    late = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(later=1.0))
    history = model.fit(data.x, data.y, epochs=3, verbose=0, validation_split=0.2, callbacks=[PlotHistory(), late])
    (shown,) = page.values()
    assert [repr(each) for each in shown] == [f"<Curves of {count} epochs>" for count in (1, 2, 3)]
    assert shown[-1]._repr_html_() in history._repr_html_()
    assert "later by epoch" in shown[-1]._repr_html_()         # what another callback wrote, too


def test_two_runs_have_two_places(model, data, page):
    plot = PlotHistory("loss")
    for _ in range(2):
        model.fit(data.x, data.y, epochs=2, verbose=0, callbacks=plot)
    assert [len(each) for each in page.values()] == [2, 2]
    assert "accuracy" not in [*page.values()][0][0]._repr_html_()


def test_elsewhere_it_is_silent(model, data, capsys):
    model.fit(data.x, data.y, epochs=2, verbose=0, callbacks=[PlotHistory()])
    assert capsys.readouterr() == ("", "")


def test_the_numbers_and_the_steps_of_a_dispatch_are_the_same(make_model, data, page):
    one, two = make_model(), make_model()
    one.fit(data.x, data.y, epochs=2, verbose=0)
    two.fit(data.x, data.y, epochs=2, verbose=0, callbacks=[PlotHistory()])
    assert one.fingerprint() == two.fingerprint() and one.history.history == two.history.history


def test_it_can_be_copied_and_pickled(model, data, page):
    plot = PlotHistory("loss", log=True)
    model.fit(data.x, data.y, epochs=1, verbose=0, callbacks=[plot])
    plot.set_model(None)
    for again in (copy.deepcopy(plot), pickle.loads(pickle.dumps(plot))):
        assert (again.metrics, again.log) == ("loss", True)


def test_a_run_that_goes_on_is_shown_from_its_first_epoch(make_model, data, page, tmp_path):
    def stop(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    callbacks = lambda extra: [PlotHistory(), LambdaCallback(on_epoch_begin=extra), BackupAndRestore(tmp_path)]
    with pytest.raises(KeyboardInterrupt):
        make_model().fit(data.x, data.y, epochs=3, verbose=0, callbacks=callbacks(stop))
    history = make_model().fit(data.x, data.y, epochs=3, verbose=0, callbacks=callbacks(lambda epoch, logs: None))
    assert history.measured["loss"] == [0, 1, 2]
    first, second = page.values()
    assert [repr(each) for each in first] == ["<Curves of 1 epochs>"]
    assert repr(second[-1]) == "<Curves of 3 epochs>"


def test_an_unknown_name_is_said(model, data, page, refuses):
    with refuses("The History has no 'lss'. Did you mean 'loss'?"):
        model.fit(data.x, data.y, verbose=0, callbacks=[PlotHistory("lss")])

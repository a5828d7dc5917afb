from tools import tasks


def test_a():
    assert tasks.ROOT

"""One cause is logged once in a while for each merchant, not once for each refund."""

from datetime import timedelta

from antom_refunds.log_once import LogLimiter


class Clock:
    """A clock in seconds that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_matter_is_logged_once_in_each_interval() -> None:
    clock = Clock()
    limiter = LogLimiter(interval=timedelta(minutes=10), now=clock)

    first, again = limiter.should_log(("shop", "X")), limiter.should_log(("shop", "X"))
    clock.seconds = 599
    within = limiter.should_log(("shop", "X"))
    clock.seconds = 600
    after = limiter.should_log(("shop", "X"))

    assert (first, again, within, after) == (True, False, False, True)


def test_merchants_and_causes_are_matters_of_their_own() -> None:
    limiter = LogLimiter()

    assert limiter.should_log(("shop", "X"))
    assert limiter.should_log(("kiosk", "X"))
    assert limiter.should_log(("shop", "Y"))


def test_only_so_many_matters_are_remembered_and_the_oldest_is_forgotten_first() -> None:
    clock = Clock()
    limiter = LogLimiter(keys_max=2, now=clock)
    for name in ("a", "b", "c"):
        assert limiter.should_log((name,))

    assert not limiter.should_log(("c",))
    assert not limiter.should_log(("b",))
    assert limiter.should_log(("a",))
    assert len(limiter._logged_at) == 2

"""Each participant is paid exactly once: workers are killed at random, and the vendor fails at a third of the calls.

`make chaos` does the same with ten thousand payouts.
"""

from tests.chaos import ONE_IN, Storm, earned

PAYOUTS, KILLS = 250, 30


def test_whoever_dies_and_whatever_fails_each_is_paid_once_and_what_needs_a_person_says_why(
    database_url: str,
) -> None:
    storm = Storm(database_url, PAYOUTS)
    try:
        earned(storm.engine, PAYOUTS)
        toll = storm.rage(KILLS)
        assert storm.wrong() == []
        assert storm.engine.verify().is_clean
    finally:
        storm.close()
    assert toll.kills >= KILLS
    faults = sum(count for what, count in toll.counts.items() if what.startswith("fault"))
    assert faults > toll.payouts / 4
    refused = {enrollment for enrollment, why in toll.stuck.items() if "422" in why}
    assert refused == {f"e-{number:06}" for number in range(0, PAYOUTS, ONE_IN)}
    assert all(toll.stuck.values())

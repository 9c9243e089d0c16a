from lunomm.market.clock import Now


def test_both_clocks_are_kept_apart() -> None:
    now = Now(exchange_ns=1_700_000_000_123_999_999, mono_ns=5)
    assert now.exchange_ms == 1_700_000_000_123
    assert now.mono_ns == 5

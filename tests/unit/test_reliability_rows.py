"""The reliability checklist: everything that may go wrong, what must hold then, and the tests that prove it.

Faults are ``F-``, bad inputs ``C-``. A proof is ``file::test`` (the name of a test file is its own, so it needs no
path) or ``campaign:<fault>``, one named fault of the simulated campaign. A row that does not apply is struck with the
reason, one that nothing proves yet is open with what is missing. `OPEN` is the list of the latter: adding to it is a
decision.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
CAMPAIGN = TESTS / "campaign" / "faults.py"

Row = tuple[str, ...]
"""id, what must hold, proofs; or one single ``struck: why`` or ``open: what is missing``."""

NO_FILE = "struck: there is no configuration file, only options and LUNOMM_ variables"

REST: tuple[Row, ...] = (
    (
        "F-01", "an order whose request was lost is unknown until it is proven absent, then its place is free",
        "test_reconciler.py::test_time_out_then_absent_is_believed_only_after_ttl_and_skew_and_once_more",
        "test_rest.py::test_a_write_whose_answer_proves_nothing_is_unknown_and_sent_once",
        "campaign:post.request_lost",
    ),
    (
        "F-02", "an order whose reply was lost is found by its own id and adopted, never sent twice",
        "test_reconciler.py::test_time_out_then_found_is_adopted",
        "test_reconciler.py::test_an_intent_id_is_used_once_whatever_became_of_it",
        "campaign:post.reply_lost",
    ),
    (
        "F-03", "a late order is refused by its time to live, and cancelled where the venue takes it anyway",
        "test_luno_clients.py::test_post_only_and_late_orders_are_refused",
        "test_reconciler.py::test_an_order_called_dead_that_shows_up_is_taken_down",
        "campaign:post.late",
    ),
    (
        "F-04", "an answer that proves nothing leaves the order unknown; it is not sent again",
        "test_replies.py::test_what_an_answer_proves",
        "test_rest.py::test_a_write_whose_answer_proves_nothing_is_unknown_and_sent_once",
        "campaign:post.error_before", "campaign:post.error_after",
    ),
    (
        "F-05", "a duplicate id is looked up: ours is adopted, another's or one never sent halts",
        "test_reconciler.py::test_409_for_our_own_id_is_looked_up_and_adopted",
        "test_reconciler.py::test_409_that_turns_out_to_be_another_order_halts",
        "test_reconciler.py::test_409_for_an_id_never_sent_halts",
        "campaign:post.twice",
    ),
    (
        "F-06", "429 backs off, keeps Retry-After and the reserve of cancels, and closes the gate when it repeats",
        "test_budget.py::test_refusals_in_a_row_back_off_and_spare_urgent_calls",
        "test_budget.py::test_retry_after_is_kept",
        "test_rest.py::test_429_is_told_to_the_budget",
        "test_gateway_watch.py::test_more_than_three_refusals_in_a_minute_close_the_gate",
        "test_reconciler.py::test_rate_limited_posts_pause_placing_not_cancelling",
        "campaign:rest.too_many",
    ),
    (
        "F-07", "in a storm of 429 cancels go on as fast as the budget lets them",
        "test_rest.py::test_429_is_told_to_the_budget",
        "test_reconciler.py::test_a_cancel_that_did_nothing_is_repeated_once_a_second",
        "campaign:rest.storm",
    ),
    (
        "F-08", "a page, an empty or cut body is no answer: unknown for a write, asked again for a read",
        "test_rest.py::test_a_write_whose_answer_proves_nothing_is_unknown_and_sent_once",
        "test_rest.py::test_a_read_is_asked_once_more",
        "test_replies.py::test_what_an_answer_proves",
        "campaign:rest.page",
    ),
    (
        "F-09", "a venue that cannot be reached is one error; nothing was sent, nothing is placed",
        "test_rest.py::test_a_write_that_never_left_is_known_to_have_done_nothing",
        "test_rest.py::test_a_read_is_asked_once_more",
        "test_limits.py::test_the_verdict",
        "test_panic_command.py::test_an_exchange_that_does_not_answer_is_exit_8_with_what_was_seen",
        "campaign:rest.down", "campaign:rest.refused",
    ),
    (
        "F-10", "a venue that answers nothing costs the time limit; orders stay live, and are cancelled on its return",
        "test_rest.py::test_a_server_that_never_answers_costs_the_whole_time_limit_at_most",
        "test_reconciler.py::test_failing_lookups_never_change_the_state",
        "test_guardian.py::test_an_exchange_that_is_down_is_asked_for_ever_and_not_too_often",
        "test_guardian_process.py"
        "::test_an_exchange_that_does_not_answer_at_the_end_is_exit_8_and_the_guardian_goes_on",
        "campaign:rest.black_hole",
    ),
    (
        "F-11", "a kept-alive connection that died is met on its use: a read again, a write unknown",
        "test_rest.py::test_a_write_whose_answer_proves_nothing_is_unknown_and_sent_once",
        "test_rest.py::test_a_read_is_asked_once_more",
        "campaign:rest.reset",
    ),
)  # fmt: skip

STREAMS: tuple[Row, ...] = (
    (
        "F-12", "a closed market stream is a lost one whatever its code; a refusal for good ends the command",
        "test_market_stream.py::test_error_frame_then_close_1000_ends_it",
        "test_market_stream.py::test_lost_then_dialled_again",
        "test_book_faults.py::test_never_a_wrong_book_and_back_within_five_seconds",
    ),
    (
        "F-13", "a half-open stream is noticed by its missing pongs",
        "test_market_stream.py::test_half_open_peer_is_noticed",
        "test_book_faults.py::test_never_a_wrong_book_and_back_within_five_seconds",
    ),
    (
        "F-14", "a gap, a repeat or a step back voids the book until a new snapshot",
        "test_market_stream.py::test_gap_resync",
        "test_observer.py::test_a_gap_voids_the_book_until_a_snapshot",
        "test_book_faults.py::test_in_process_with_faults_at_random_every_tick_that_may_be_traded_on_is_the_truth",
    ),
    (
        "F-15", "a frame that contradicts the book is refused whole",
        "test_book.py::test_an_illegal_frame_changes_nothing",
        "test_book_against_naive.py::test_a_hundred_thousand_random_frames",
    ),
    (
        "F-16", "snapshots of many megabytes are read, one beyond the limit names the limit",
        "test_market_stream.py::test_snapshot_over_a_mebibyte",
        "test_market_stream.py::test_frame_beyond_the_limit_names_it",
    ),
    (
        "F-17", "a feed that lags more than three seconds is stale",
        "test_observer.py::test_stale",
        "test_freshness.py::test_one_tick",
        "campaign:market.lag",
    ),
    (
        "F-18", "a silently wrong book is found against the venue's own list, dropped, and doubted the second time",
        "test_book_faults.py::test_a_silently_wrong_book_is_found_dropped_and_at_last_doubted",
        "test_audit.py::test_three_misses_in_a_row_prove_it_and_no_sooner_than_five_seconds_apart",
        "test_audit.py::test_twice_in_an_hour_is_doubt_until_the_hour_is_over_and_the_list_agrees",
        "test_freshness.py::test_one_tick",
    ),
    (
        "F-19", "dials are at most six a minute, and only a healthy connection starts the pace anew",
        "test_connection.py::test_at_most_six_dials_in_any_minute_and_never_more_than_75_s_apart",
        "test_market_stream.py::test_accept_and_close_storm_is_paced",
        "test_market_stream.py::test_only_a_healthy_connection_resets_the_pace",
    ),
    (
        "F-20", "too many sessions ends the command at once with advice",
        "test_market_stream.py::test_error_frame_then_close_1000_ends_it",
    ),
    (
        "F-21", "a one-sided or empty book says so and is not quoted on",
        "test_observer.py::test_states",
        "test_freshness.py::test_one_tick",
        "test_quoter.py::test_withdrawn_at_once_and_back_with_new_ids",
        "campaign:market.one_sided",
    ),
    (
        "F-22", "a crossed book says so until a new snapshot and is not quoted on",
        "test_observer.py::test_a_crossed_book_says_so_until_a_snapshot",
        "test_freshness.py::test_one_tick",
        "campaign:market.crossed",
    ),
    (
        "F-23", "a market that is not active, or in a state nobody knows, is left, and met again half a minute later",
        "test_guards.py::test_a_market_that_does_not_trade_is_left_and_met_again_after_half_a_minute",
        "test_observer.py::test_states",
        "test_rules.py::test_sides_and_statuses",
        "campaign:venue.status",
    ),
    (
        "F-24", "every order is post-only, so a market that takes nothing else takes ours",
        "test_rest.py::test_order_travels_in_the_form_body",
        "test_venue.py::test_post_only_mode_still_takes_post_only_orders",
    ),
    (
        "F-25", "after a jump nothing is placed until both sources agree for three seconds",
        "test_guards.py::test_a_price_that_jumps_takes_quotes_down_until_the_ticker_agrees",
        "test_reference.py::test_a_real_jump_is_believed_after_three_seconds_of_agreement",
        "campaign:venue.jump",
    ),
    (
        "F-26", "a changed tick or lot is read anew before anything is sent, and quotes move to the new grid",
        "test_guards.py::test_after_a_wrong_tick_nothing_is_sent_until_the_rules_were_read",
        "test_guards.py::test_a_quoter_that_has_not_heard_of_a_new_tick_is_no_bad_quoter",
        "test_quoter.py::test_new_rules_void_what_lies_on_the_old_grid",
        "campaign:venue.rescaled", "campaign:venue.limits",
    ),
    (
        "F-27", "a key that a stream does not take ends the command",
        "test_market_stream.py::test_error_frame_then_close_1000_ends_it",
        "test_user_stream.py::test_handshake_answered_401_ends_it",
    ),
    (
        "F-28", "a short loss of the user stream, and what is said again after it, count nothing twice",
        "test_reconciler.py::test_a_replayed_stream_counts_nothing_twice",
        "test_reconciler.py::test_a_stream_that_came_back_is_followed_by_a_full_read",
        "campaign:user.replays",
    ),
    (
        "F-29", "a long loss of the user stream takes everything down and ends with a full read",
        "test_reconciler.py::test_ten_seconds_without_the_user_stream_take_everything_down",
        "test_reconciler.py::test_a_stream_that_came_back_is_followed_by_a_full_read",
        "campaign:user.forgets",
    ),
    (
        "F-30", "a message lost in a living session is noticed by the ledger's row and made good by what follows",
        "test_balances.py::test_a_ledger_row_that_was_missed_is_noticed",
        "test_reconciler.py::test_a_ledger_row_that_was_missed_is_followed_by_a_full_read",
        "test_order_permutations.py::test_trade_rows_at_every_place",
        "test_reconciler.py::test_missing_trade_rows_are_asked_for_until_they_come",
        "campaign:user.lost",
    ),
    (
        "F-31", "acknowledgement, fills, cancel reply and end may come in any order",
        "test_order_permutations.py::test_all_permutations_up_to_length_seven",
        "test_order_permutations.py::test_trade_rows_at_every_place",
    ),
    (
        "F-32", "an order of our prefix that the journal does not know is cancelled",
        "test_reconciler.py::test_an_open_order_of_ours_that_the_journal_lacks_is_cancelled_even_if_wanted",
        "test_gateway_command.py::test_orders_by_other_hands_stay",
        "campaign:orphan",
    ),
    (
        "F-33", "what other hands trade counts in the position; too much of it halts; their orders stay",
        "test_guards.py::test_alien_fills_count_in_the_position_and_too_many_halt",
        "test_reconciler.py::test_alien_orders_are_never_touched",
        "campaign:manual.order", "campaign:manual.taker",
    ),
)  # fmt: skip

ORDERS: tuple[Row, ...] = (
    (
        "F-34", "a part filled while it is cancelled is booked, only the rest comes free",
        "test_reconciler.py::test_partial_fill_while_cancelling_frees_only_the_rest",
    ),
    (
        "F-35", "a fill after the cancel's reply is booked",
        "test_orders.py::test_a_fill_after_the_end_is_booked",
        "test_order_permutations.py::test_all_permutations",
    ),
    (
        "F-36", "a cancel that failed or did nothing is read, and repeated once a second",
        "test_reconciler.py::test_a_cancel_that_did_nothing_is_repeated_once_a_second",
        "test_reconciler.py::test_cancel_then_confirm_by_a_read_then_place",
        "test_rest.py::test_stop_order",
        "campaign:cancel.request_lost", "campaign:cancel.reply_lost", "campaign:cancel.error",
        "campaign:cancel.false",
    ),
    (
        "F-37", "an order that would have traded is wanted anew a second later; thirty an hour are borne",
        "test_guards.py::test_thirty_orders_that_would_have_traded_are_borne_the_next_halts",
        "test_quoter.py::test_a_refused_intent_waits_a_second_then_longer_while_the_code_repeats",
        "campaign:natural.post_only_miss",
    ),
    (
        "F-38", "an order that stays awaiting is live, and taken back after five seconds",
        "test_guards.py::test_an_order_that_stays_awaiting_is_taken_back_after_five_seconds",
        "campaign:read.awaiting",
    ),
    (
        "F-39", "want of money is tried twice, then the side rests until the balance changes",
        "test_guards.py::test_want_of_money_is_tried_twice_and_then_waits_for_the_balance_to_change",
        "campaign:post.balance_refused",
    ),
    (
        "F-40", "money that other orders reserve is not spent",
        "test_limits.py::test_the_verdict",
        "test_holdings.py::test_spendable",
        "campaign:manual.reserves",
    ),
    (
        "F-41", "an order that could meet our own is not placed, nor wanted",
        "test_limits.py::test_the_verdict",
        "test_quoter.py::test_our_own_old_order_in_the_way_must_leave_first",
    ),
    (
        "F-42", "maintenance rests the pair and is followed by a listing",
        "test_guards.py::test_maintenance_pauses_the_pair_and_is_followed_by_a_listing",
        "campaign:rest.maintenance",
    ),
    (
        "F-43", "a key refused while running halts, flat",
        "test_gateway_trips.py::test_an_unforeseen_error_halts",
        "test_replies.py::test_what_an_answer_proves",
        "campaign:rest.key_revoked",
    ),
    (
        "F-44", "fees are read again, and stand in both prices",
        "test_reconciler.py::test_fees_are_read_again_within_the_hour",
        "test_quoter.py::test_a_fee_is_added_to_both_sides",
        "campaign:venue.fees",
    ),
)  # fmt: skip

TIME: tuple[Row, ...] = (
    (
        "F-45", "a wall clock that steps proves nothing, stretches no wait, and closes the gate while it is wrong",
        "test_gateway_watch.py::test_a_wrong_clock_closes_the_gate_until_it_is_set",
        "test_reconciler.py::test_a_wall_clock_that_jumps_ahead_proves_nothing",
        "test_timing.py::test_a_clock_set_back_restarts_a_timer_rather_than_stretching_it",
        "campaign:clock.steps",
    ),
    (
        "F-46", "after a sleep everything is read again; meanwhile the guardian cleared, and late orders are refused",
        "test_guards.py::test_a_process_that_slept_reads_everything_again",
        "test_guardian_process.py"
        "::test_a_frozen_gateways_orders_are_cancelled_and_it_quotes_again_when_it_thaws",
        "test_chaos_short.py::test_frozen_and_then_everything_adds_up",
        "test_luno_clients.py::test_post_only_and_late_orders_are_refused",
        "campaign:all.paused", "campaign:gateway.paused",
    ),
    (
        "F-47", "a loop that was blocked is said, and from a second on nothing rests until it is punctual",
        "test_lag.py::test_a_late_turn_is_said_and_a_very_late_one_shuts_the_gate_until_calm",
        "test_gateway_trips.py"
        "::test_a_gateway_that_was_held_up_takes_everything_down_and_quotes_again_when_it_is_punctual",
        "campaign:disk.slow", "campaign:gateway.paused",
    ),
)  # fmt: skip

REDIS: tuple[Row, ...] = (
    (
        "F-48", "Redis killed and restarted empty: flat, then quotes again and no number twice",
        "test_gateway_command.py::test_redis_dies_orders_go_and_come_back_with_it",
        "test_chaos_short.py::test_killed",
        "test_five_terminals.py::test_a_redis_restart_is_survived",
        "campaign:redis.restarted_empty",
    ),
    (
        "F-49", "a Redis that hangs is a Redis that is gone",
        "test_gateway_command.py::test_redis_hangs_orders_go_and_come_back_with_it",
        "test_bus.py::test_a_server_that_hangs_is_an_error_in_time",
        "campaign:redis.hangs",
    ),
    (
        "F-50", "lost, repeated, late or disordered messages are dropped, never acted on",
        "test_wanted.py::test_a_message_counts_for_three_seconds_from_when_it_was_first_seen",
        "test_wanted.py::test_a_newer_quoter_starts_its_numbers_anew_and_the_older_is_dropped",
        "test_freshness.py::test_a_beat_lives_three_seconds_of_our_own_clock_and_repeating_it_does_not_help",
        "test_quoter.py::test_a_lost_event_is_read_off_the_orders",
        "campaign:bus.message_lost", "campaign:bus.message_twice", "campaign:bus.message_late",
    ),
    (
        "F-51", "a reader that Redis cut off for being slow reads on",
        "test_bus.py::test_a_listener_that_redis_cut_off_listens_again",
        "campaign:redis.cut",
    ),
    (
        "F-52", "a Redis that refuses is one error and may recover; one that forgot is told again, fills once",
        "test_bus.py::test_each_refusal_of_redis_is_said_in_its_own_words_and_may_pass",
        "test_piece.py::test_everything_is_put_back_after_redis_lost_it",
        "test_gateway_publisher.py::test_a_redis_that_forgot_gets_the_fills_again_and_no_update_twice",
        "test_gateway_publisher.py::test_orders_are_put_back_after_redis_lost_its_data",
        "campaign:redis.flushed", "campaign:redis.read_only",
    ),
    (
        "F-53", "what another program says on our channels is dropped, counted, and halts when it comes fast",
        "test_bus.py::test_bad_messages_are_dropped_and_counted",
        "test_bus.py::test_a_sealed_bus_believes_only_its_own",
        "test_guards.py::test_messages_that_cannot_be_read_halt_when_they_come_fast",
        "test_hostile_bus.py::test_a_flood_moves_nothing_outside_the_limits",
        "campaign:redis.junk",
    ),
)  # fmt: skip

PROCESSES: tuple[Row, ...] = (
    (
        "F-54", "a killed gateway's orders are cancelled by its guardian or adopted by its successor, none doubled",
        "test_guardian_process.py::test_a_killed_gateways_orders_are_cancelled_and_its_successor_waits",
        "test_gateway_command.py::test_killed_and_restarted_it_adopts_what_is_wanted_and_never_doubles",
        "test_store.py::test_a_kill_between_two_steps_loses_nothing_that_was_committed",
        "test_reconciler.py::test_a_post_under_way_at_the_crash_is_unknown",
        "test_chaos_short.py::test_killed",
        "campaign:kill.before_commit", "campaign:kill.after_commit", "campaign:kill.after_send",
        "campaign:kill.before_reply",
    ),
    (
        "F-55", "without book or quote everything is taken down",
        "test_five_terminals.py::test_any_order_and_each_killed_alone",
        "test_chaos_short.py::test_killed",
        "test_quoter.py::test_no_beat_for_three_seconds_of_our_own_clock",
        "campaign:book.killed", "campaign:quote.killed",
    ),
    (
        "F-56", "without a guardian nothing rests",
        "test_guardian_process.py::test_without_a_guardian_nothing_rests",
        "test_chaos_short.py::test_killed",
        "campaign:guardian.killed",
    ),
    (
        "F-57", "after a loss of power the first start reads the venue and adopts or cancels",
        "test_gateway_command.py::test_killed_and_restarted_it_adopts_what_is_wanted_and_never_doubles",
        "campaign:all.killed",
    ),
    (
        "F-58", "a second gateway, quoter or book is refused, an older quoter ignored",
        "test_five_terminals.py::test_a_second_gateway_quote_and_book_are_refused",
        "test_lock.py::test_a_second_holder_is_told_who_has_it",
        "test_reconciler.py::test_an_older_quoter_is_never_believed_again",
        "test_chaos_short.py::test_killed",
        "campaign:gateway.second", "campaign:quote.second",
    ),
    (
        "F-59", "the third death within five minutes is final",
        "test_supervise.py::test_the_third_death_is_final",
        "campaign:gateway.crash_loop",
    ),
    (
        "F-60", "a piece that trades believes no other build, and names both",
        "test_bus.py::test_another_build_is_not_believed_by_a_piece_that_trades",
        "test_gateway_command.py::test_a_life",
        "test_gateway_watch.py::test_pieces_of_two_builds_close_the_gate",
    ),
    (
        "F-61", "a journal that cannot be written ends the gateway flat, nothing sent without its record",
        "test_gateway_trips.py::test_a_journal_that_cannot_be_written_ends_it_flat",
        "test_store.py::test_a_write_that_fails_is_said",
        "campaign:disk.full",
    ),
    (
        "F-62", "a damaged or foreign journal is the same or refused",
        "test_store.py::test_a_truncated_or_flipped_file_is_the_same_or_refused",
        "test_store.py::test_another_accounts_or_venues_is_refused",
        "test_gateway_command.py::test_a_journal_that_cannot_be_trusted_is_refused",
    ),
    (
        "F-63", "a gateway that gets no more files or memory trips; what it cannot take down its guardian does",
        "test_starved_gateway.py::test_a_starved_gateway_leaves_nothing",
    ),
    (
        "F-64", "what nobody foresaw, in any task or callback, halts for good",
        "test_gateway_trips.py::test_an_unforeseen_error_halts",
    ),
    (
        "F-65", "a signal ends flat once, a second leaves at once and says what may be live; a closed reader is fine",
        "test_piece.py::test_a_doubled_signal_is_one",
        "test_piece.py::test_a_second_signal_leaves_at_once",
        "test_guardian_process.py::test_a_clean_end_leaves_no_guardian_and_no_lock",
        "test_present.py::test_a_reader_that_went_away_ends_it_quietly",
        "test_guardian_process.py::test_it_needs_no_redis_ignores_a_closed_terminal_and_hides_its_key",
    ),
    (
        "F-66", "what is not finite is never a quote and has its reason",
        "test_quoter.py::test_withdrawn_at_once_and_back_with_new_ids",
        "test_pricing.py::test_what_is_not_finite_never_becomes_a_price",
        "test_quoting_properties.py::test_whatever_happens",
    ),
    (
        "F-67", "a quoter that floods or changes its mind is paced",
        "test_guards.py::test_a_quoter_that_changes_its_mind_all_the_time_gets_one_order_a_side_in_half_a_second",
        "test_hostile_quoter.py::test_nothing_outside_the_limits_is_sent",
        "campaign:hostile.quoter",
    ),
    (
        "F-68", "fills of one side only rest that side, then halt; never beyond the position limit",
        "test_throttle.py::test_one_sided_fills_rest_the_side_and_the_second_time_halts",
        "test_limits.py::test_the_verdict",
        "campaign:venue.one_way",
    ),
)  # fmt: skip

TYPED: tuple[Row, ...] = (
    (
        "C-01", "no command is usage, a mistyped one names the nearest",
        "test_cli.py::test_wrong_command_lines_are_one_line",
        "test_cli.py::test_help_lists_every_command_and_option",
    ),
    (
        "C-02", "an unknown option or a missing value is named",
        "test_cli.py::test_wrong_command_lines_are_one_line",
    ),
    ("C-03", "pairs in Luno's own words only, with a hint", "test_config.py::test_impossible_pairs"),
    (
        "C-04", "an impossible pair is refused and shown harmless, an unlisted one by the venue's list",
        "test_config.py::test_impossible_pairs",
        "test_piece.py::test_an_unlisted_pair",
    ),
    (
        "C-05", "gamma is a plain finite number not below zero",
        "test_cli.py::test_wrong_command_lines_are_one_line",
        "test_config.py::test_options_out_of_range",
        "test_config.py::test_gamma_zero_and_signed_eta_are_fine",
    ),
    ("C-06", "levels within bounds", "struck: one order a side, so there is no such option"),
    ("C-07", "live without its limits names each of them", "test_config.py::test_live_needs_its_limits_said"),
    ("C-08", "live asks nobody", "struck: live is said by --mode and limits, nothing is asked at a prompt"),
    (
        "C-09", "a secret is no option, and the hint says where it belongs",
        "test_cli.py::test_wrong_command_lines_are_one_line",
    ),
    ("C-10", "the configuration file exists and is a file", NO_FILE),
    (
        "C-11", "a wrong Redis address never shows its password",
        "test_config.py::test_bad_redis_addresses_never_echo_a_password",
    ),
    (
        "C-12", "a closed pipe, a dumb terminal and any size are drawn or left quietly",
        "test_present.py::test_a_reader_that_went_away_ends_it_quietly",
        "test_present.py::test_a_live_screen_needs_a_real_terminal",
        "test_views_status.py::test_every_absence_draws_at_every_size",
        "test_up.py::test_a_plain_line_without_a_terminal",
        "test_surroundings.py::test_the_same_line_everywhere",
    ),
    (
        "C-13", "base and counter come from the venue's list, never from the name",
        "test_config.py::test_pairs",
        "test_wire_rest.py::test_market_row_as_rules",
    ),
)  # fmt: skip

SURROUNDINGS: tuple[Row, ...] = (
    (
        "C-14", "live without keys names both variables",
        "test_config.py::test_mode_rules",
        "test_typed_refusals.py::test_live_names_both_variables",
    ),
    (
        "C-15", "the file of settings is read as people write it, keys that cannot be one are refused",
        "test_config.py::test_dotenv_is_data",
        "test_config.py::test_mode_rules",
        "test_hosts.py::test_key_that_cannot_be_one",
    ),
    (
        "C-16", "live refuses a file of keys that others may read, whatever links to it",
        "test_dotenv_file.py::test_live_refuses_an_exposed_file_and_a_log_of_session_keys",
        "test_dotenv_file.py::test_modes",
        "test_dotenv_file.py::test_a_link_counts_as_what_it_points_to",
    ),
    (
        "C-17", "a wrong key is said before anything is placed",
        "test_panic_command.py::test_a_wrong_key_is_said_at_once",
        "test_reconciler.py::test_a_start_reads_the_venue_before_anything_else",
    ),
    ("C-18", "a variable set twice", "struck: the environment wins over the file, as everybody expects"),
    (
        "C-19", "proxies of the environment are not used, a log of session keys is refused",
        "test_rest.py::test_environment_proxies_are_not_used",
        "test_market_stream.py::test_environment_proxies_are_not_used",
        "test_dotenv_file.py::test_live_refuses_an_exposed_file_and_a_log_of_session_keys",
    ),
    (
        "C-20", "odd surroundings change nothing, or are said",
        "test_surroundings.py::test_the_same_line_everywhere",
        "test_surroundings.py::test_a_folder_that_is_gone_is_said",
    ),
    (
        "C-21", "a wrong clock ends the start, with its measure",
        "test_gateway_watch.py::test_a_start_with_a_wrong_clock_asks_a_few_times_and_says_by_how_much",
        "test_clock_check.py::test_a_wrong_clock_is_called_wrong_with_its_measure",
    ),
    (
        "C-22", "too few files, too little memory are said at the start; the temporary folder does not matter",
        "test_surroundings.py::test_too_little_room_is_said",
        "test_surroundings.py::test_the_same_line_everywhere",
        "test_store.py::test_a_write_that_fails_is_said",
    ),
    *((f"C-{number}", "the configuration file", NO_FILE) for number in range(23, 31)),
    (
        "C-31", "only Luno and this machine are spoken to, and keys go nowhere else",
        "test_hosts.py::test_everything_else_is_refused",
        "test_hosts.py::test_no_endpoint_can_be_made_by_hand_elsewhere",
        "test_typed_refusals.py::test_bad_input",
        "test_rest.py::test_a_redirect_is_not_followed",
    ),
    ("C-32", "the configuration file is no program", NO_FILE),
    ("C-33", "the configuration file changes while it runs", NO_FILE),
)  # fmt: skip

BUS: tuple[Row, ...] = (
    (
        "C-34", "what is no message is dropped and counted, and halts when it comes fast",
        "test_bus.py::test_bad_messages_are_dropped_and_counted",
        "test_guards.py::test_messages_that_cannot_be_read_halt_when_they_come_fast",
    ),
    (
        "C-35", "a number is plain, finite and of bounded length, or the message is dropped",
        "test_plain.py::test_what_is_no_plain_number_is_never_wanted",
        "test_plain.py::test_monsters_are_not_believed",
        "test_wanted.py::test_what_is_odd_is_dropped_whole_and_counted",
        "test_fields.py::test_decimal_refuses",
    ),
    (
        "C-36", "size and depth are bounded before anything is read",
        "test_bus.py::test_bad_messages_are_dropped_and_counted",
        "test_fields.py::test_length_is_looked_at_first",
    ),
    (
        "C-37", "a missing or mistyped field or another schema drops the message",
        "test_bus.py::test_bad_messages_are_dropped_and_counted",
        "test_wanted.py::test_what_is_odd_is_dropped_whole_and_counted",
    ),
    (
        "C-38", "another pair's, venue's or run's message is not ours",
        "test_bus.py::test_bad_messages_are_dropped_and_counted",
        "test_bus.py::test_live_messages_are_of_the_run_stored_ones_of_the_place",
    ),
    (
        "C-39", "an older quoter and an older number are not believed",
        "test_wanted.py::test_a_newer_quoter_starts_its_numbers_anew_and_the_older_is_dropped",
        "test_reconciler.py::test_the_same_number_again_does_not_keep_it_alive",
        "test_reconciler.py::test_an_older_quoter_is_never_believed_again",
    ),
    (
        "C-40", "nobody's timestamp keeps a message alive: age is our own clock's",
        "test_wanted.py::test_a_message_counts_for_three_seconds_from_when_it_was_first_seen",
        "test_freshness.py::test_a_beat_lives_three_seconds_of_our_own_clock_and_repeating_it_does_not_help",
    ),
    (
        "C-41", "a quote that cannot be meant is refused in the gateway, and the fifth halts",
        "test_wanted.py::test_what_is_odd_is_dropped_whole_and_counted",
        "test_limits.py::test_the_verdict",
        "test_guards.py::test_five_quotes_that_cannot_be_meant_halt",
        "test_guards.py::test_five_crossed_messages_halt_and_the_same_one_counts_once",
    ),
    (
        "C-42", "an old quote, and any quote while halted, is refused",
        "test_reconciler.py::test_an_older_quoter_is_never_believed_again",
        "test_reconciler.py::test_gates_halts_and_stops_take_everything_down",
        "test_reconciler.py::test_a_halt_is_durable_said_once_and_survives_a_restart",
    ),
    (
        "C-43", "a key of another type or a lease nobody can read is an error, not a traceback",
        "test_bus.py::test_a_wrong_type_is_an_error_not_a_traceback",
        "test_piece.py::test_tokens_grow_and_a_lost_lease_stops_its_holder",
        "test_piece.py::test_a_venue_key_of_another_program",
    ),
    (
        "C-44", "each of Redis's refusals is said in its own words",
        "test_bus.py::test_each_refusal_of_redis_is_said_in_its_own_words_and_may_pass",
    ),
)  # fmt: skip

REPLIES: tuple[Row, ...] = (
    (
        "C-45", "an error in a 200, a page, a redirect, a compressed or an endless body are no answer",
        "test_replies.py::test_what_an_answer_proves",
        "test_rest.py::test_a_redirect_is_not_followed",
        "test_rest.py::test_bodies_are_bounded",
        "test_rest.py::test_an_endless_answer_is_cut_off",
    ),
    (
        "C-46", "an order's reply without a proper id leaves it unknown",
        "test_rest.py::test_a_write_whose_answer_proves_nothing_is_unknown_and_sent_once",
    ),
    (
        "C-47", "an unknown status is live, an unknown code proves nothing, an unknown side is refused",
        "test_wire_rest.py::test_only_complete_is_not_live",
        "test_replies.py::test_a_code_that_is_nowhere_said_to_prove_it_proves_nothing",
        "test_wire_rest.py::test_unknown_side",
    ),
    (
        "C-48", "more filled than the volume halts, and less than known too, unless the answer may be older",
        "test_reconciler.py::test_a_contradiction_of_the_venue_halts",
        "test_reconciler.py::test_less_filled_than_reported_before_halts_unless_a_read_may_lag",
        "test_orders.py::test_cumulative_fills_only_grow",
        "test_wire_rest.py::test_refused",
    ),
    (
        "C-49", "pages overlap inside a millisecond and are turned until two passes agree",
        "test_rest.py::test_open_orders_page_to_the_end",
        "test_rest.py::test_pages_are_turned_until_two_passes_agree",
        "test_rest.py::test_pages_that_never_agree_are_no_list",
    ),
    (
        "C-50", "an odd market's row is refused, and hides no other",
        "test_wire_rest.py::test_one_odd_market_row_hides_no_other",
        "test_piece.py::test_an_unlisted_pair",
    ),
    (
        "C-51", "balances that contradict themselves leave nothing free",
        "test_balances.py::test_a_read_that_contradicts_itself_leaves_nothing_free",
    ),
    ("C-52", "a price of zero is an empty side", "test_as_events.py::test_the_middle_of_a_touch"),
    ("C-53", "times are milliseconds, anything else is refused", "test_wire.py::test_refused"),
    (
        "C-54", "the venue's words are cut and made harmless",
        "test_replies.py::test_words_of_the_venue_are_made_harmless",
        "test_text.py::test_safe_leaves_only_printable_ascii_without_markup",
        "test_cli.py::test_an_error_cannot_forge_a_second_line",
    ),
)  # fmt: skip

FRAMES: tuple[Row, ...] = (
    (
        "C-55", "an update before the snapshot or no snapshot at all is a lost stream, an error frame is read as one",
        "test_market_stream.py::test_lost_then_dialled_again",
        "test_market_stream.py::test_no_snapshot_in_time",
        "test_market_stream.py::test_error_frame_then_close_1000_ends_it",
    ),
    (
        "C-56", "each number times eighteen bad values is refused, nothing of it applied",
        "test_book_faults.py::test_every_number_times_eighteen_bad_values_is_refused_and_nothing_is_half_applied",
    ),
    (
        "C-57", "a binary, an endless or a garbled frame is a lost stream, one in pieces a frame",
        "test_market_stream.py::test_text_that_is_no_utf_8_loses_the_stream",
        "test_market_stream.py::test_a_frame_in_pieces_of_one_character_is_a_frame",
        "test_market_stream.py::test_lost_then_dialled_again",
        "test_market_stream.py::test_frame_beyond_the_limit_names_it",
        "test_wire.py::test_refused_bytes",
    ),
    ("C-58", "nothing changed, said as null or as an empty list, is a step", "test_wire.py::test_understood"),
    ("C-59", "a sequence is a text of digits within its range", "test_wire.py::test_refused"),
    (
        "C-60", "a trade of nothing, twice, or at another price is refused",
        "test_book.py::test_an_illegal_frame_changes_nothing",
        "test_book.py::test_trade_numbers_only_grow",
    ),
    ("C-61", "an order that exists or crosses is refused", "test_book.py::test_an_illegal_frame_changes_nothing"),
    (
        "C-62", "an unknown kind is passed over, a contradictory message refused, another's order left alone",
        "test_user_stream.py::test_kinds_added_later_are_passed_over",
        "test_wire.py::test_user_refused",
        "test_reconciler.py::test_alien_orders_are_never_touched",
    ),
    (
        "C-63", "a row that was skipped is noticed, a row of the past changes nothing, a bare number is refused",
        "test_balances.py::test_a_ledger_row_that_was_missed_is_noticed",
        "test_balances.py::test_the_highest_row_wins_and_replays_change_nothing",
        "test_wire.py::test_user_refused",
    ),
    (
        "C-64", "a flood of frames waits at its sender, none is lost, and what comes late is stale",
        "test_market_stream.py::test_a_flood_is_held_back_at_the_sender_and_none_of_it_is_lost",
        "test_observer.py::test_stale",
    ),
)  # fmt: skip

ROWS = (
    *REST, *STREAMS, *ORDERS, *TIME, *REDIS, *PROCESSES, *TYPED, *SURROUNDINGS, *BUS, *REPLIES, *FRAMES,
)  # fmt: skip

FIRST = frozenset(
    [f"F-{n:02d}" for n in (1, 2, 5, 6, 12, 13, 14, 15, 18, 21, 22, 23, 28, 29, 30, 31, 34, 35, 36)]
    + [f"F-{n}" for n in (46, 48, 54, 55, 56, 58)]
    + [f"C-{n:02d}" for n in (5, 16, 31, 35, 41)]
)
"""What would cost money first: each of these has tests of its own, whatever the campaign shows besides."""

OPEN = frozenset[str]()


def verdict(row: Row) -> str:
    """open, struck or proven."""
    word = row[2].partition(":")[0]
    return word if word in ("open", "struck") else "proven"


@cache
def _known_tests() -> frozenset[str]:
    """``file::function`` of every test function in the tree."""
    found = []
    for path in TESTS.rglob("test_*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                found.append(f"{path.name}::{node.name}")
    return frozenset(found)


@cache
def _known_faults() -> frozenset[str]:
    """Names in the campaign's list of faults: first arguments of ``Fault(...)``."""
    calls = [node for node in ast.walk(ast.parse(CAMPAIGN.read_text())) if isinstance(node, ast.Call)]
    return frozenset(
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "Fault"
        if call.args and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
    )


def test_every_row_is_there_once() -> None:
    expected = [f"F-{n:02d}" for n in range(1, 69)] + [f"C-{n:02d}" for n in range(1, 65)]
    assert [row[0] for row in ROWS] == expected
    assert len(FIRST) == 30 and set(expected) >= FIRST


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_is_proven_struck_or_open(row: Row) -> None:
    _, what, *proofs = row
    assert what and proofs
    if verdict(row) != "proven":
        assert len(proofs) == 1 and len(proofs[0].partition(": ")[2]) > 10, "a reason"
        return
    assert len(set(proofs)) == len(proofs)
    for proof in proofs:
        if proof.startswith("campaign:"):
            assert proof.removeprefix("campaign:") in _known_faults()
        else:
            assert proof in _known_tests(), f"no such test: {proof}"


def test_first_rows_have_tests_of_their_own() -> None:
    for row in ROWS:
        if row[0] in FIRST:
            assert any("::" in proof for proof in row[2:]), row[0]


def test_what_is_open_is_listed() -> None:
    assert {row[0] for row in ROWS if verdict(row) == "open"} == OPEN

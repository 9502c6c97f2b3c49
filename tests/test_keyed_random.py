"""Random numbers that depend on a key alone. The values are recorded: studies and published results rest on them."""

from __future__ import annotations

from lwise_core.keyed_random import RandomStream, key_digest, key_seed


def test_digest_of_a_key_stays_as_recorded() -> None:
    assert key_digest(7, "train/a.png").hex() == "7970a6337585537455c0f42dace0fb522b63d11a0850ec4c3b7ce38c342bfe12"


def test_seed_of_a_key_stays_as_recorded() -> None:
    assert key_seed(0, "start", 1, 2) == 8106343332437158514


def test_stream_of_a_key_stays_as_recorded() -> None:
    stream = RandomStream(7, 3, "images")
    assert [stream.below(100) for _ in range(6)] == [64, 70, 83, 7, 63, 94]
    assert stream.shuffled("abcdef") == ["e", "b", "c", "f", "a", "d"]


def test_seeds_of_different_keys_differ_and_fit_63_bits() -> None:
    seeds = {key_seed(seed, purpose, index) for seed in range(10) for purpose in ("a", "b") for index in range(100)}
    assert len(seeds) == 2000
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_seed_depends_on_the_order_of_its_key() -> None:
    assert key_seed(0, "start", 1, 2) != key_seed(0, "start", 2, 1)


def test_streams_of_different_keys_are_independent() -> None:
    first, second = RandomStream(1, "order"), RandomStream(1, "images")
    pairs = {(first.below(4), second.below(4)) for _ in range(400)}
    assert len(pairs) == 16


def test_take_removes_what_it_draws() -> None:
    items = list(range(10))
    drawn = RandomStream("take").take(items, 4)
    assert len(set(drawn)) == 4
    assert sorted(drawn + items) == list(range(10))

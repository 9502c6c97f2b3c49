"""The address for other machines."""

from __future__ import annotations

import ipaddress

import pytest

from lwise_core.local.lan_address import address_of, others_reach


@pytest.mark.parametrize(
    ("host", "address", "reached"),
    [
        ("127.0.0.1", "http://localhost:8000", False),
        ("localhost", "http://localhost:8000", False),
        ("127.0.0.7", "http://127.0.0.7:8000", False),
        ("::1", "http://[::1]:8000", False),
        ("192.0.2.7", "http://192.0.2.7:8000", True),
        ("2001:db8::7", "http://[2001:db8::7]:8000", True),
        ("lab.example", "http://lab.example:8000", True),
    ],
)
def test_address_has_the_given_host(host: str, address: str, reached: bool) -> None:
    assert (address_of(host, 8000), others_reach(host)) == (address, reached)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104
def test_unspecified_host_gives_the_machines_own_address(host: str) -> None:
    address = address_of(host, 8000).removeprefix("http://").removesuffix(":8000")
    assert others_reach(host)
    assert address not in ("", host, "localhost")
    if address.replace(".", "").isdigit():
        assert not ipaddress.ip_address(address).is_unspecified

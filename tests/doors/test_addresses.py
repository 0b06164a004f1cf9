"""Which addresses are refused, in every form that an address can take."""

from __future__ import annotations

import pytest

from drawloom.doors.addresses import Reach, refusal

PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]
PRIVATE = {
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "::1": "loopback",
    "10.1.2.3": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "fc00::1": "private",
    "fd12:3456::1": "private",
    "fec0::1": "private",
    "100.64.0.1": "carrier grade NAT",
    "100.127.255.255": "carrier grade NAT",
    "198.18.0.1": "benchmarking",
    "::ffff:127.0.0.1": "loopback",
    "::ffff:7f00:1": "loopback",
    "::127.0.0.1": "loopback",
    "::ffff:0:127.0.0.1": "loopback",
    "64:ff9b::127.0.0.1": "loopback",
    "64:ff9b::a00:1": "private",
    "2002:7f00:1::": "loopback",
    "2002:c0a8:101::1": "private",
    # Teredo: the server's address, then the client's, which is inverted.
    "2001:0:7f00:1:0:0:f7f7:f7f7": "loopback",
    "2001:0:808:808:0:0:80ff:fffe": "loopback",
}
NEVER = {
    "169.254.169.254": "cloud metadata",
    "169.254.170.2": "cloud metadata",
    "100.100.100.200": "cloud metadata",
    "168.63.129.16": "cloud metadata",
    "192.0.0.192": "cloud metadata",
    "fd00:ec2::254": "cloud metadata",
    "fd20:ce::254": "cloud metadata",
    "169.254.1.1": "link local",
    "fe80::1": "link local",
    "fe80::1%eth0": "link local",
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "::": "unspecified",
    "224.0.1.1": "multicast",
    "239.255.255.250": "multicast",
    "ff02::1": "multicast",
    "ff0e::1": "multicast",
    "240.0.0.1": "reserved",
    "192.0.0.8": "reserved",
    "192.88.99.1": "reserved",
    "203.0.113.7": "documentation",
    "2001:db8::1": "documentation",
    "64:ff9b:1::8.8.8.8": "reserved",
    "100::1": "reserved",
    "4000::1": "reserved",
    "::ffff:169.254.169.254": "cloud metadata",
    "::169.254.169.254": "cloud metadata",
    "64:ff9b::a9fe:a9fe": "cloud metadata",
    "2002:a9fe:a9fe::": "cloud metadata",
    "2001:0:a9fe:a9fe:0:0:f7f7:f7f7": "cloud metadata",
    "2600::5efe:169.254.169.254": "cloud metadata",
    "localhost": "not an IP address",
    "127.1": "not an IP address",
    "0x7f000001": "not an IP address",
    "2130706433": "not an IP address",
}


@pytest.mark.parametrize("address", PUBLIC)
@pytest.mark.parametrize("reach", Reach)
def test_public_addresses_are_reached(address: str, reach: Reach) -> None:
    assert refusal(address, reach) is None


@pytest.mark.parametrize(("address", "why"), PRIVATE.items())
def test_private_addresses_need_the_setting(address: str, why: str) -> None:
    assert refusal(address, Reach.PUBLIC) == why
    assert refusal(address, Reach.PRIVATE) is None


@pytest.mark.parametrize(("address", "why"), NEVER.items())
@pytest.mark.parametrize("reach", Reach)
def test_some_addresses_are_never_reached(address: str, why: str, reach: Reach) -> None:
    assert refusal(address, reach) == why

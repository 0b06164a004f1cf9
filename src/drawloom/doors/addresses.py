"""Which IP addresses may be reached: every form of them, told apart by range.

`ipaddress.is_global` is not enough: it lets multicast pass, and IPv4 addresses
wrapped in IPv6 ones. Ranges are those of the IANA special-purpose registries
(RFC 6890 and its successors), the metadata addresses those of the clouds.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

_Ip: TypeAlias = IPv4Address | IPv6Address
_Ranges: TypeAlias = tuple[tuple[IPv4Network | IPv6Network, str], ...]


class Reach(StrEnum):
    """How far a connection may reach."""

    PUBLIC = "public"  # the public internet only
    PRIVATE = "private"  # loopback and private networks too; never metadata addresses


def _ranges(**named: str) -> _Ranges:
    return tuple(
        (ipaddress.ip_network(text), name.replace("_", " "))
        for name, texts in named.items()
        for text in texts.split()
    )


_NEVER = _ranges(
    cloud_metadata="169.254.169.254/32 169.254.170.0/24 100.100.100.200/32 168.63.129.16/32 "
    "192.0.0.192/32 fd00:ec2::/32 fd20:ce::254/128 fd00:42::42/128",
    unspecified="0.0.0.0/8 ::/128",
    link_local="169.254.0.0/16 fe80::/10",
    multicast="224.0.0.0/4 ff00::/8",
    broadcast="255.255.255.255/32",
    documentation="192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20",
    reserved="192.0.0.0/24 192.88.99.0/24 240.0.0.0/4 100::/64 100:0:0:1::/64 2001::/23 "
    "5f00::/16 64:ff9b:1::/48",
)
_PRIVATE = _ranges(
    loopback="127.0.0.0/8 ::1/128",
    private="10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fec0::/10",
    carrier_grade_NAT="100.64.0.0/10",
    benchmarking="198.18.0.0/15",
)
_GLOBAL_V6 = IPv6Network("2000::/3")

# Prefixes of addresses whose last 32 bits are an IPv4 address: mapped and
# compatible (RFC 4291), translated (RFC 2765), NAT64 (RFC 6052).
_WRAPPERS = tuple(
    IPv6Network(text) for text in ("::ffff:0:0/96", "::/96", "::ffff:0:0:0/96", "64:ff9b::/96")
)
_SIX_TO_FOUR = IPv6Network("2002::/16")  # RFC 3056
_TEREDO = IPv6Network("2001::/32")  # RFC 4380
_ISATAP = (0x00005EFE, 0x02005EFE)  # RFC 5214


def literal(host: str) -> _Ip | None:
    """The address that *host* spells in the canonical form, or None where it is a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def refusal(address: str, reach: Reach) -> str | None:
    """Why *address* may not be reached (`link local`, `cloud metadata`…), or None if it may.

    An IPv6 address that carries an IPv4 one (mapped, NAT64, 6to4, Teredo,
    ISATAP…) is judged by what it carries.
    """
    ip = literal(address)
    if ip is None:
        return "not an IP address"
    for form in _forms(ip):
        if why := _named(form, _NEVER):
            return why
        if why := _named(form, _PRIVATE):
            if reach is not Reach.PRIVATE:
                return why
        elif form.version == 6 and form not in _GLOBAL_V6:
            return "reserved"
    return None


def _named(ip: _Ip, ranges: _Ranges) -> str | None:
    return next((name for network, name in ranges if ip in network), None)


def _forms(ip: _Ip) -> Iterator[_Ip]:
    """Every address that decides: the one inside a wrapper, or the address itself."""
    if isinstance(ip, IPv4Address):
        yield ip
        return
    carried = list(_carried(ip))
    yield from carried
    if not carried or int(ip) >> 32 & 0xFFFFFFFF in _ISATAP:
        yield ip


def _carried(ip: IPv6Address) -> Iterator[IPv4Address]:
    last = IPv4Address(int(ip) & 0xFFFFFFFF)
    if any(ip in network for network in _WRAPPERS) and int(ip) > 0xFFFF:  # not `::` and `::1`
        yield last
    elif ip in _SIX_TO_FOUR:
        yield IPv4Address(int(ip) >> 80 & 0xFFFFFFFF)
    elif ip in _TEREDO:
        yield IPv4Address(int(ip) >> 64 & 0xFFFFFFFF)
        yield IPv4Address(~int(ip) & 0xFFFFFFFF)
    elif int(ip) >> 32 & 0xFFFFFFFF in _ISATAP:
        yield last

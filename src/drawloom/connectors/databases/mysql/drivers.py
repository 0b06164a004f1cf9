"""asyncmy, and aiomysql where that is not installed: one face for both.

Both descend from PyMySQL and share its parts, so that little differs here. Of
both only the protocol is used: the pool, the values and the warnings are ours.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from drawloom.errors import ConnectionUnusable, Failure, FailureKind, ToolError

_SEVERAL_STATEMENTS = 1 << 16  # CLIENT_MULTI_STATEMENTS
_FOUND_ROWS = 1 << 1  # an UPDATE counts the rows that it found, as everywhere but here
_TLS = 1 << 11  # CLIENT_SSL
_RESET = 0x1F  # COM_RESET_CONNECTION
# Types that the drivers would make Python objects of, which keep less than the text does.
_AS_TEXT = (0, 7, 10, 11, 12, 14, 16, 246)
_INTEGERS = (1, 2, 3, 8, 9, 13)
_FLOATS = (4, 5)


class Driver:
    """Makes connections of the driver, ready for use but for the session's settings."""

    def __init__(self, name: str | None, options: dict[str, Any]) -> None:
        self.name, self._module = _chosen(name)
        self._options = self._worded(options)

    async def connect(self) -> Any:
        """A new connection. Raises what the driver raises, and `ToolError` (denied) without TLS."""
        connection = self._module.Connection(**self._options)
        _guard(connection)
        try:
            if self.name == "asyncmy":
                connection._client_flag &= ~_SEVERAL_STATEMENTS
                await connection.connect()
            else:
                connection.client_flag &= ~_SEVERAL_STATEMENTS
                await connection._connect()
        except BaseException:
            connection.close()  # aiomysql leaves it open where the call is cancelled
            raise
        return connection

    async def reset(self, connection: Any) -> None:
        """Forget what the session has set, locked, prepared and made for itself."""
        await connection._execute_command(_RESET, b"")
        await (connection.read_packet if self.name == "asyncmy" else connection._read_packet)()

    def usable(self, connection: Any) -> bool:
        """Whether the stream stands, as far as this side has heard."""
        if self.name == "asyncmy":
            return bool(connection.connected) and not connection._stream_broken
        reader = connection._reader
        return reader is not None and not (reader.eof_received or reader.exception())

    async def fetch(self, result: Any, most: int) -> list[tuple[Any, ...]]:
        """The next rows of a result that is read as it comes; fewer than *most* at its end."""
        rows: list[tuple[Any, ...]] = []
        while len(rows) < most:
            row = await result._read_rowdata_packet_unbuffered()
            if row is None:
                break
            rows.append(row)
            if self.name == "asyncmy":  # which parses all that it has received at once
                rows += result._take_pending_rows(most - len(rows))
        return rows

    def is_mariadb(self, connection: Any) -> bool:
        """Whether the server is MariaDB, which names some things otherwise than MySQL."""
        return "mariadb" in str(connection.get_server_info()).lower()

    def _worded(self, options: dict[str, Any]) -> dict[str, Any]:
        decoders = {**dict.fromkeys(_AS_TEXT), **dict.fromkeys(_INTEGERS, int)}
        decoders |= dict.fromkeys(_FLOATS, float)
        password = options["password"].encode()
        if self.name == "aiomysql":  # which encodes it as latin1 itself
            given = {"password": password.decode("latin1"), "conv": decoders}
            from aiomysql import Error
        else:
            from asyncmy.converters import conversions
            from asyncmy.errors import Error

            encoders = {kind: made for kind, made in conversions.items() if isinstance(kind, type)}
            given = {"password": password, "conv": {**encoders, **decoders}}
        self.errors: tuple[type[Exception], ...] = (Error, OSError)
        return {**options, **given, "client_flag": _FOUND_ROWS}


def _chosen(name: str | None) -> tuple[str, ModuleType]:
    import importlib

    for one in (name,) if name else ("asyncmy", "aiomysql"):
        try:
            return one, importlib.import_module(f"{one}.connection")
        except ModuleNotFoundError:
            continue
    raise ConnectionUnusable(
        f"{name or 'asyncmy'} is not installed: pip install drawloom[mysql]"
        " (or aiomysql, which is taken where asyncmy cannot be had)"
    )


def _guard(connection: Any) -> None:
    """Give nothing away to a server without the TLS that was asked for, nor a password in clear.

    Both drivers go on in clear where the server does not offer TLS, and send the
    password itself to whoever asks for it.
    """
    log_in, answer = connection._request_authentication, connection._process_auth

    async def request_authentication() -> None:
        if connection._ssl_context and not connection.server_capabilities & _TLS:
            raise _denied("the server does not speak TLS, which the setting `tls` asks for")
        await log_in()

    async def process_auth(plugin: Any, packet: Any) -> Any:
        if plugin in (b"mysql_clear_password", b"dialog") and not connection._secure:
            raise _denied("the server asks for the password in clear, without TLS; set `tls`")
        return await answer(plugin, packet)

    connection._request_authentication = request_authentication
    connection._process_auth = process_auth


def _denied(message: str) -> ToolError:
    return ToolError(Failure(FailureKind.DENIED, message, harmless=True))

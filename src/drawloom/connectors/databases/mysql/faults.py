"""What each error of MySQL and MariaDB means, by its number (their manuals' error reference).

What a write does stands in a transaction, so an error that the server reports, and
a rollback that leaves nothing behind, prove that nothing was changed: hence
`harmless` where a retry can help. A connection that broke proves nothing.
"""

from __future__ import annotations

from typing import Any

from drawloom.errors import Failure, FailureKind
from drawloom.sdk import Fault, FaultTable

_LONGEST_MESSAGE = 2_000
_READ_ONLY = 1792
_CLIENT_ERRORS = range(2000, 3000)

# Of each kind, the numbers; those of `_HARMLESS` a retry may help.
_NUMBERS: dict[FailureKind, tuple[int, ...]] = {
    # The statement or its values are wrong.
    FailureKind.INVALID: (
        *(
            1046,
            1048,
            1052,
            1054,
            1055,
            1056,
            1058,
            1059,
            1060,
            1063,
            1064,
            1065,
            1066,
            1068,
            1069,
        ),
        *(1070, 1071, 1072, 1073, 1074, 1075, 1083, 1090, 1093, 1099, 1100, 1101, 1102, 1103),
        *(1104, 1105, 1108, 1109, 1110, 1111, 1112, 1113, 1115, 1117, 1118, 1120, 1121, 1136),
        *(1138, 1139, 1140, 1141, 1149, 1153, 1162, 1163, 1164, 1166, 1167, 1170, 1171, 1172),
        *(1178, 1192, 1193, 1210, 1221, 1222, 1228, 1229, 1230, 1231, 1232, 1233, 1234, 1235),
        *(1237, 1238, 1239, 1240, 1241, 1242, 1246, 1247, 1248, 1249, 1250, 1252, 1253, 1260),
        *(1262, 1263, 1264, 1265, 1267, 1270, 1271, 1273, 1286, 1288, 1289, 1291, 1292, 1293),
        *(1294, 1295, 1299, 1301, 1303, 1308, 1309, 1310, 1311, 1312, 1313, 1314, 1318, 1319),
        *(1320, 1321, 1322, 1323, 1324, 1325, 1326, 1327, 1328, 1329, 1330, 1331, 1332, 1333),
        *(1334, 1335, 1336, 1337, 1338, 1339, 1348, 1351, 1364, 1365, 1366, 1367, 1372, 1385),
        *(1394, 1399, 1406, 1411, 1413, 1414, 1415, 1416, 1418, 1422, 1424, 1425, 1426, 1427),
        *(1439, 1441, 1442, 1444, 1456, 1471, 1568, 1571, 1579, 1582, 1583, 1584, 1630, 1644),
        *(1645, 1690, 1692, 1901, 1905, 3140, 3141, 3143, 3146, 3156, 3157, 3819, 4025, 4038),
        *(4078, 4161),
    ),
    # A table, database or routine is a thing of the server, which may be missing.
    FailureKind.MISSING: (
        *(1008, 1017, 1049, 1051, 1091, 1094, 1133, 1146, 1176, 1289, 1305, 1347, 1360, 1477),
        *(1539, 4091, 4092),
    ),
    # The data says no, or it is there already.
    FailureKind.CONFLICT: (
        *(1007, 1022, 1050, 1061, 1062, 1169, 1215, 1216, 1217, 1304, 1359, 1451, 1452),
        *(1537, 1557, 1586, 1761, 1762, 1826, 1859),
    ),
    FailureKind.DENIED: (
        *(1044, 1045, 1095, 1129, 1130, 1131, 1132, 1142, 1143, 1144, 1227, 1251, 1275, 1290),
        *(1298, 1343, 1349, 1369, 1370, 1371, 1396, 1404, 1410, 1419, 1449, 1524, 1694, 1698),
        *(1699, 1766, _READ_ONLY, 1820, 1827, 1836, 1862, 1874, 2059, 3118, 3159, 4151),
    ),
    FailureKind.THROTTLED: (1040, 1203, 1226),
    # The server is short of something, or chose this transaction to be the one that gives way.
    FailureKind.TRANSIENT: (
        *(3, 1003, 1014, 1015, 1020, 1021, 1024, 1026, 1037, 1038, 1041, 1053, 1080, 1081),
        *(1114, 1135, 1152, 1158, 1159, 1160, 1161, 1180, 1184, 1188, 1189, 1190, 1205, 1206),
        *(1213, 1218, 1219, 1220, 1297, 1317, 1412, 1613, 1614, 1615, 1637, 1927, 2002, 2003),
        *(2005, 2006, 2013, 2014, 2055, 3168, 3169, 3572, 4031),
    ),
    FailureKind.TIMEOUT: (1907, 1969, 3024),
}
_KINDS = {number: kind for kind, numbers in _NUMBERS.items() for number in numbers}
_HARMLESS = frozenset(
    {
        *(1040, 1203, 1226),  # not let in yet
        *(1020, 1205, 1206, 1213, 1412, 1613, 1614, 1615, 3572),  # rolled back for another's sake
        *(3, 1003, 1021, 1026, 1037, 1038, 1041, 1114, 1135, 1637),  # short of memory, disk, …
        *(1317, 1907, 1969, 3024),  # the statement was ended, not the connection
        *(2002, 2003, 2005, 2059),  # never reached
    }
)


def _told(exc: Any) -> Failure:
    """The failure of that number, with what the server says."""
    number = error_number(exc)
    text = str(exc.args[-1]) if exc.args else type(exc).__name__
    if len(text) > _LONGEST_MESSAGE:
        text = text[:_LONGEST_MESSAGE] + " […]"
    if number == _READ_ONLY:
        text += "; mysql.query only reads, mysql.execute writes"
    if number is None:  # the driver's own: it lost the thread of the conversation
        return Failure(_unnumbered(exc), text)
    kind = _KINDS.get(number, FailureKind.DEFECT)
    return Failure(kind, text, details={"errno": number}, harmless=number in _HARMLESS)


def _unnumbered(exc: Any) -> FailureKind:
    broken = type(exc).__name__ in ("InterfaceError", "OperationalError", "InternalError")
    return FailureKind.TRANSIENT if broken else FailureKind.DEFECT


def error_number(exc: BaseException) -> int | None:
    """The number that the server or the client library gives an error; None where there is none."""
    first = exc.args[0] if exc.args else None
    known = type(exc).__module__ in ("asyncmy.errors", "pymysql.err")
    return first if known and isinstance(first, int) and first > 0 else None


def said_by_server(exc: BaseException) -> bool:
    """Whether the server answered with *exc*, so that the conversation can go on."""
    number = error_number(exc)
    return number is not None and number not in _CLIENT_ERRORS


FAULTS: FaultTable = {
    "asyncmy.errors.MySQLError": _told,
    "pymysql.err.MySQLError": _told,
    "drawloom.errors.ValueInvalid": FailureKind.INVALID,
    "socket.gaierror": Fault(FailureKind.TRANSIENT, harmless=True),
    "ssl.SSLCertVerificationError": Fault(FailureKind.DENIED, harmless=True),
}

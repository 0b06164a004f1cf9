"""`drawloom.toml` is read strictly, and every refusal names the file and the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from drawloom.errors import ValueInvalid
from drawloom.project import Settings, read_settings

WHOLE = """\
tools = ["tools.py"]

[connections.db]
kind = "postgresql"
host = "h"
password = {env = "PW"}

[bind]
reports = "db"

[state]
folder = "kept"
durability = "relaxed"
keep_days = 2.5

[engine]
memory = "2GB"

[code]
enabled = true
sandbox = "monty"

[isolation]
cgroup = "/sys/fs/cgroup/loom"
"""


def read(folder: Path, text: str | bytes) -> Settings:
    path = folder / "drawloom.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_settings(path)


def test_everything_is_read(tmp_path: Path) -> None:
    found = read(tmp_path, WHOLE)
    assert found.tools == ("tools.py",)
    assert found.connections["db"].kind == "postgresql"
    assert found.connections["db"].settings == {"host": "h", "password": {"env": "PW"}}
    assert found.bind == {"reports": "db"}
    assert (found.state_folder, found.durability, found.keep_days) == ("kept", "relaxed", 2.5)


def test_the_engine_and_code_steps_are_read(tmp_path: Path) -> None:
    found = read(tmp_path, WHOLE)
    assert (found.memory, found.code_steps) == (2_000_000_000, True)
    assert (found.sandbox, found.cgroup) == ("monty", "/sys/fs/cgroup/loom")


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    assert read(tmp_path, "") == Settings()


def test_settings_are_not_shown_by_repr(tmp_path: Path) -> None:
    found = read(tmp_path, '[connections.a]\nkind = "http"\ntoken = "hunter2"\n')
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tols = []", "tols: there is no such key; did you mean 'tools'?"),
        ("[state]\nfoldr = 'x'", "state.foldr: there is no such key; did you mean 'folder'?"),
        ("[state]\ndurability = 'ful'", "state.durability: must be full, relaxed or memory did"),
        ("[state]\nkeep_days = '3'", "state.keep_days: must be a number of days"),
        ("[state]\nkeep_days = -1", "state.keep_days"),
        ("[state]\nkeep_days = true", "state.keep_days"),
        ("[state]\nkeep_days = nan", "state.keep_days"),
        ("[engine]\nmemory = '2gb'", "engine.memory: '2gb' is not a size"),
        ("[engine]\nmemory = true", "engine.memory"),
        ("[state]\nblob_threshold = '1kB'", "state.blob_threshold: must be from 16384 bytes"),
        ("[state]\nblob_threshold = '1GB'", "state.blob_threshold: must be from 16384 bytes"),
        ("[state]\nblob_threshold = 'big'", "state.blob_threshold: 'big' is not a size"),
        ("[engine]\nmemroy = 1", "engine.memroy: there is no such key"),
        ("[code]\nenabled = 1", "code.enabled: must be true or false"),
        ("[code]\nenable = true", "code.enable: there is no such key"),
        ("[isolation]\ncgroup = 'loom'", "isolation.cgroup: must be a whole path"),
        ("[code]\nsandbox = 'bublewrap'", "code.sandbox: must be auto, bubblewrap or monty"),
        ("state = 1", "state: must be a table"),
        ("tools = 'tools.py'", "tools: must be a list"),
        ("tools = ['tools.txt']", "tools: 'tools.txt' is no Python file"),
        ("[connections]\ndb = 1", "connections.db: must be a table"),
        ("[connections.db]\nhost = 'x'", "connections.db: kind is missing"),
        ("[connections.db]\nkind = 1", "connections.db.kind: must be a text"),
        ("[connections.'a b']\nkind = 'http'", "connections.a b: a name has letters"),
        ("x = ", "not TOML"),
        (b"x = '\xff'", "is not UTF-8"),
        (b"#" * (2 << 20), "more than 1048576 bytes"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(ValueInvalid) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert str(tmp_path / "drawloom.toml") in str(caught.value)


def test_deep_nesting_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    with pytest.raises(ValueInvalid):
        read(tmp_path, "x = " + "[" * 100_000)

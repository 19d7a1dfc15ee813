"""The very fs-vault.so that ships, opened with ffi.dlopen; its wrappers are called against the real libc."""

import json
import os
import subprocess
import sys
import textwrap
from typing import Any

import pytest
from vault_world import AUTH, SETTINGS, STATE, World

pytestmark = pytest.mark.vault

PRELUDE = """
import errno, json, os, sys, threading
from cffi import FFI
ffi = FFI()
ffi.cdef('''
int open(const char *, int, ...); int openat(int, const char *, int, ...);
int open64(const char *, int, ...); int openat64(int, const char *, int, ...);
int __open_2(const char *, int); int __open64_2(const char *, int);
int __openat_2(int, const char *, int); int __openat64_2(int, const char *, int);
int creat(const char *, unsigned); int creat64(const char *, unsigned);
void *fopen(const char *, const char *); void *fopen64(const char *, const char *);
void *_IO_fopen(const char *, const char *);
void *freopen(const char *, const char *, void *); void *freopen64(const char *, const char *, void *);
int fclose(void *); int fileno(void *);
long syscall(long, ...);
''')
vault = ffi.dlopen(sys.argv[1])
libc = ffi.dlopen("libc.so.6")
AUTH, SETTINGS, STATE = (word.encode() for word in sys.argv[2:5])
def answer(result):
    if isinstance(result, ffi.CData):
        result = 0 if result != ffi.NULL else -1
    return [result >= 0, 0 if result >= 0 else ffi.errno]
"""


@pytest.fixture
def call(unloaded: World) -> Any:
    """Run a body of Python in a process of its own that has the object open; gives back what it put into `out`."""

    def call(body: str) -> Any:
        from agentbox import resources

        code = PRELUDE + textwrap.dedent(body) + "\nprint(json.dumps(out))\n"
        argv = [sys.executable, "-c", code, resources.lib("fs-vault.so"), AUTH, SETTINGS, STATE]
        done: subprocess.CompletedProcess[str] = unloaded.run(*argv, uid=0, env=dict(os.environ))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return call


OPENS = {
    "open": "{lib}.open({path}, os.O_RDONLY)",
    "open64": "{lib}.open64({path}, os.O_RDONLY)",
    "openat": "{lib}.openat(-100, {path}, os.O_RDONLY)",
    "openat64": "{lib}.openat64(-100, {path}, os.O_RDONLY)",
    "__open_2": "{lib}.__open_2({path}, os.O_RDONLY)",
    "__open64_2": "{lib}.__open64_2({path}, os.O_RDONLY)",
    "__openat_2": "{lib}.__openat_2(-100, {path}, os.O_RDONLY)",
    "__openat64_2": "{lib}.__openat64_2(-100, {path}, os.O_RDONLY)",
    "creat": "{lib}.creat({path}, 0o600)",
    "creat64": "{lib}.creat64({path}, 0o600)",
    "fopen": "{lib}.fopen({path}, b'r')",
    "fopen64": "{lib}.fopen64({path}, b'r')",
    "_IO_fopen": "{lib}._IO_fopen({path}, b'r')",
    "freopen": "{lib}.freopen({path}, b'r', libc.fopen(b'/dev/null', b'r'))",
    "freopen64": "{lib}.freopen64({path}, b'r', libc.fopen(b'/dev/null', b'r'))",
}


@pytest.mark.parametrize("name", OPENS)
def test_protected_file_is_eacces_and_others_are_not(call: Any, unloaded: World, name: str) -> None:
    call_of = OPENS[name]
    denied, allowed = call_of.format(lib="vault", path="AUTH"), call_of.format(lib="vault", path="STATE + b'/history'")
    out = call(f"out = [answer({denied}), answer({allowed})]")
    assert out == [[False, 13], [True, 0]]


@pytest.mark.parametrize("name", OPENS)
def test_control_without_the_vault_every_entry_opens_it(unloaded: World, name: str) -> None:
    call_of = OPENS[name].format(lib="libc", path="AUTH" if "creat" not in name else "STATE + b'/control'")
    code = PRELUDE.replace("ffi.dlopen(sys.argv[1])", "None") + f"print(json.dumps(answer({call_of})))"
    done = unloaded.run(sys.executable, "-c", code, "-", AUTH, SETTINGS, STATE, uid=0, env=dict(os.environ))
    assert json.loads(done.stdout) == [True, 0], done.stderr


def test_settings_can_be_read_and_not_written(call: Any) -> None:
    out = call(
        """
        flags = (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC)
        out = [answer(vault.open(SETTINGS, each)) for each in flags]
        out += [answer(vault.fopen(SETTINGS, mode)) for mode in (b'r', b'r+', b'w', b'a')]
        """
    )
    assert out == [[True, 0], *[[False, 13]] * 3, [True, 0], *[[False, 13]] * 3]


def test_mode_of_a_created_file_is_kept(call: Any) -> None:
    out = call(
        """
        os.umask(0)
        one, two = STATE + b'/sessions/mode-one', STATE + b'/sessions/mode-two'
        vault.open(one, os.O_CREAT | os.O_WRONLY, ffi.cast('int', 0o640))
        vault.openat(-100, two, os.O_CREAT | os.O_WRONLY, ffi.cast('int', 0o751))
        fd = vault.open(STATE + b'/sessions', os.O_TMPFILE | os.O_WRONLY, ffi.cast('int', 0o604))
        out = [oct(os.stat(p).st_mode & 0o7777) for p in (one, two, fd)]
        """
    )
    assert out == ["0o640", "0o751", "0o604"]


def test_errno_is_the_originals_on_failure_and_untouched_on_success(call: Any) -> None:
    out = call(
        """
        ffi.errno = 77
        fd = vault.open(b'/dev/null', os.O_RDONLY)
        out = [fd >= 0, ffi.errno]
        out += [answer(vault.open(b'/nowhere/at/all', os.O_RDONLY)), answer(vault.fopen(b'/dev/null', b'?'))]
        """
    )
    assert out == [True, 77, [False, 2], [False, 22]]


def test_null_empty_and_over_long_paths_get_the_kernels_answer(call: Any) -> None:
    out = call(
        """
        paths = [ffi.NULL, b'', b'/' + b'a' * 5000, b'/a' * 5000, b'/' * 5000 + b'etc', b'/../' * 1500 + b'etc']
        out = [answer(vault.open(path, os.O_RDONLY)) for path in paths]
        out.append(answer(vault.open(b'/..' * 1000 + AUTH, os.O_RDONLY)))
        """
    )
    assert out == [[False, 14], [False, 2], *[[False, 36]] * 4, [False, 13]]


# open, openat, openat2, open_tree, unlinkat on x86-64; the last four on aarch64. -1 and 8 are addresses of nothing.
CALLS = {"x86_64": (2, 257, 437, 428, 263), "aarch64": (56, 437, 428, 35)}


def test_syscall_with_addresses_of_nothing_gets_the_kernels_answer(call: Any) -> None:
    seen, control = call(f"""
        cast = lambda value: ffi.cast("long", value)
        ask = lambda lib: [answer(lib.syscall(cast(number), *[cast(word)] * 6))
                           for number in {CALLS[os.uname().machine]} for word in (-1, 8)]
        out = [ask(vault), ask(libc)]
    """)
    assert seen == control
    assert not any(ok for ok, _ in control)


def test_exec_with_addresses_of_nothing_gets_the_kernels_answer(call: Any) -> None:
    """The agent's own exec is the one that follows the environment: see tests/attacks/src/agent.c, `bad_exec`."""
    seen, control = call("""
        cast = lambda value: ffi.cast("long", value)
        number = {"x86_64": 59, "aarch64": 221}[os.uname().machine]
        paths = [cast(-1), ffi.new("char[]", b"/bin/true"), ffi.new("char[]", b"/nowhere")]
        ask = lambda lib: [answer(lib.syscall(cast(number), path, cast(word), cast(word))) for path in paths for word in (-1, 8)]
        out = [ask(vault), ask(libc)]
    """)
    assert seen == control
    assert not any(ok for ok, _ in control)


def test_names_that_are_not_utf8(call: Any) -> None:
    out = call(
        r"""
        name = STATE + b'/sessions/\xff\xfe\x80'
        out = [answer(vault.open(name, os.O_CREAT | os.O_WRONLY, ffi.cast('int', 0o600))), os.path.exists(name)]
        out.append(answer(vault.open(b'/tmp/\xff/../' + AUTH, os.O_RDONLY)))
        """
    )
    assert out == [[True, 0], True, [False, 13]]


@pytest.mark.parametrize("path", ["AUTH + b'/'", "b'//' + AUTH", "AUTH.replace(b'/', b'/./')", "b'/usr/..' + AUTH"])
def test_spellings_of_a_protected_path(call: Any, path: str) -> None:
    assert call(f"out = answer(vault.open({path}, os.O_RDONLY))") == [False, 13]


def test_threads_are_all_denied(call: Any) -> None:
    out = call(
        """
        results = []
        def many():
            for _ in range(2000):
                denied = answer(vault.open(AUTH, os.O_RDONLY))[1]
                results.append((denied, vault.open(b'/nowhere', os.O_RDONLY), ffi.errno))
        threads = [threading.Thread(target=many) for _ in range(8)]
        [t.start() for t in threads]; [t.join() for t in threads]
        out = [len(results), sorted(set(results))]
        """
    )
    assert out == [16000, [[13, -1, 2]]]


def test_children_of_fork_are_denied(call: Any) -> None:
    out = call(
        """
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.write(writer, json.dumps(answer(vault.open(AUTH, os.O_RDONLY))).encode())
            os._exit(0)
        out = json.loads(os.read(reader, 100))
        """
    )
    assert out == [False, 13]

"""The core and the interposer in other builds: sanitizers, a fuzzer, another CPU; and for a long time."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import vault_world
from test_policy import HEAD, MALFORMED, RIGHTS
from vault_world import SECRET, World, policy

from agentbox import resources

CSRC = resources.tree("csrc")
SRC = Path(__file__).parent / "src"
CORE = [CSRC / f"{name}.c" for name in ("policy", "rules", "path")]
AARCH64 = "aarch64-linux-gnu-gcc"
QEMU = ("qemu-aarch64-static", "qemu-aarch64")


def need(*programs: str) -> str:
    for program in programs:
        if shutil.which(program):
            return program
    pytest.skip(f"{programs[0]} is not installed")


def compile_core(compiler: str, output: Path, *flags: str) -> None:
    words = [compiler, "-std=gnu11", "-g", "-O1", "-D_GNU_SOURCE", f"-I{CSRC}", *flags, SRC / "fuzz_core.c", *CORE]
    subprocess.run([*map(str, words), "-o", str(output)], check=True)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The policies and paths of test_policy.py, one file each."""
    target = tmp_path_factory.mktemp("corpus")
    good = (
        HEAD
        + "link /bin/sh\ndeny auth.json\ndeny /agent/a\nread /agent\nwrite /agent/a/b\nhide K*\nkeep KA\naudit /l\nend\n"
    )
    inputs = [text.encode() for text, _, _ in MALFORMED.values()]
    inputs += [good.encode() + b"\0" + os.fsencode(path) for path in RIGHTS]
    for number, data in enumerate(inputs):
        (target / str(number)).write_bytes(data)
    return target


def test_core_under_address_and_undefined_behaviour_sanitizers(corpus: Path, tmp_path: Path) -> None:
    flags = ("-DREPLAY", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    compile_core(need("gcc"), tmp_path / "core", *flags)
    done = subprocess.run([tmp_path / "core", *corpus.iterdir()], text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_core_under_a_fuzzer(corpus: Path, tmp_path: Path) -> None:
    compile_core(need("clang"), tmp_path / "fuzz", "-fsanitize=fuzzer,address,undefined")
    seconds = os.environ.get("AGENTBOX_FUZZ_SECONDS", "15")
    # libFuzzer's own limit looks at the most that the process ever used, which execve hands down from a large parent.
    argv = [tmp_path / "fuzz", f"-max_total_time={seconds}", "-max_len=3000", "-rss_limit_mb=0"]
    argv += [f"-artifact_prefix={tmp_path}/", corpus]
    limit = {**os.environ, "ASAN_OPTIONS": "hard_rss_limit_mb=2048"}
    done = subprocess.run(argv, env=limit, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def test_core_on_aarch64(corpus: Path, tmp_path: Path) -> None:
    compile_core(need(AARCH64), tmp_path / "core", "-DREPLAY", "-static")
    done = subprocess.run(
        [need(*QEMU), tmp_path / "core", *corpus.iterdir()], text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="module")
def aarch64(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both objects for aarch64, with a policy of the test's own (its path is fixed when they are built)."""
    target = tmp_path_factory.mktemp("aarch64")
    text = policy("/nonexistent/agent").replace("vault /mnt", f"vault {target}")
    (target / "policy").write_text(text)
    environment = {**os.environ, "CC": need(AARCH64), "OUTDIR": str(target)}
    environment["CFLAGS"] = f'-DVAULT_POLICY_PATH="{target}/policy"'
    subprocess.run(["sh", CSRC / "build.sh"], env=environment, check=True)
    return target


def test_objects_are_built_for_aarch64(aarch64: Path) -> None:
    for name in ("fs-vault.so", "agentbox-launch"):
        header = (aarch64 / name).read_bytes()[:20]
        assert (header[:4], header[18]) == (b"\x7fELF", 183)


def test_interposer_on_aarch64_denies(aarch64: Path) -> None:
    """qemu-user hands no Landlock call on, so this is the libc layer alone."""
    reader, secret = aarch64 / "reader", aarch64 / "auth.json"
    secret.write_text(SECRET)
    source = (Path(__file__).parents[1] / "attacks/src/read.c").read_text().replace("/mnt/agent/auth.json", str(secret))
    (aarch64 / "reader.c").write_text(source)
    subprocess.run([AARCH64, aarch64 / "reader.c", "-o", reader], check=True)
    argv = [need(*QEMU), "-L", "/usr/aarch64-linux-gnu"]
    control = subprocess.run([*argv, reader], text=True, capture_output=True, check=False)
    assert (control.returncode, control.stdout) == (0, SECRET)
    argv += ["-E", f"LD_PRELOAD={aarch64}/fs-vault.so"]
    done = subprocess.run([*argv, reader], text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr


@pytest.fixture
def endurance(tmp_path: Path) -> Iterator[World]:
    reason = vault_world.unusable()
    if reason:
        pytest.skip(reason)
    subprocess.run(["cc", "-O1", "-D_GNU_SOURCE", SRC / "endure.c", "-o", tmp_path / "endure"], check=True)
    world = vault_world.make_world(tmp_path, policy("/unset"), preload=True)
    world.set_policy(policy(world.work / "endure"))
    yield world
    world.close()


@pytest.mark.slow
@pytest.mark.vault
def test_nothing_leaks_over_100_000_opens_and_10_000_spawns(endurance: World) -> None:
    done = endurance.run("./endure", launch=True, timeout=200)
    assert done.returncode == 0, done.stderr
    before, after = ([int(word) for word in line.split()] for line in done.stdout.splitlines())
    assert after[:2] == before[:2], "descriptors and threads"
    assert after[2] - before[2] < 512, "resident kilobytes"

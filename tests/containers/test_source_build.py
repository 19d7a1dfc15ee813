"""VAULT_FROM=source: no compiled parts in the context, the image build makes them from csrc/."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from boxes import AGENTS, GID, UID, finished

from agentbox import policy
from agentbox.images import ca_bundle
from agentbox.resources import tree

BASE, IMAGE = "local/agentbox-test-source-base", "local/agentbox-test-source-pi"
KEY = "sk-ant-of-the-source-build"


def context(folder: Path) -> Path:
    shutil.copytree(tree("containers"), folder)
    for name in ("csrc", "js"):
        shutil.copytree(tree(name), folder / name, ignore=shutil.ignore_patterns("node_modules", "*.so", "*.o"))
    etc = folder / "etc/pi"
    etc.mkdir(parents=True)
    for name, text in policy.render_all(policy.load("pi")).items():
        (etc / name).write_text(text)
    if bundle := ca_bundle(None, policy.load("pi")):
        (folder / "ca").mkdir()
        shutil.copy(bundle, folder / "ca/extra.crt")
    (folder / "authority").mkdir()
    trustme.CA().cert_pem.write_to_path(folder / "authority/ca.crt")
    return folder


def build(context: Path, name: str, tag: str, **arguments: str) -> None:
    command = ["docker", "buildx", "build", "--load", "--tag", tag, "--file", str(context / name / "Dockerfile")]
    for key, value in arguments.items():
        command += ["--build-arg", f"{key}={value}"]
    built = finished([*command, str(context)], timeout=600)
    assert built.returncode == 0, built.stderr[-3000:]


@pytest.fixture(scope="module")
def image(images: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = context(tmp_path_factory.mktemp("source") / "context")
    assert not (folder / "lib").exists()
    build(folder, "base", BASE, VAULT_FROM="source", HOST_UID=str(UID), HOST_GID=str(GID))
    build(folder, "pi", IMAGE, BASE=BASE, AGENT_VERSION=policy.load("pi").package.version)
    return IMAGE


@pytest.mark.parametrize("vault", [True, False], ids=["with the vault", "control without"])
def test_an_image_built_from_source_protects_equally(image: str, vault: bool, tmp_path: Path) -> None:
    secret = tmp_path / "auth.json"
    secret.write_text(KEY)
    secret.chmod(0o644)
    command = ["docker", "run", "--rm", f"--volume={secret}:{AGENTS['pi'].secret}:ro"]
    if not vault:
        # Past the entrypoint too: whatever is not the agent, it confines itself.
        command += ["--volume=/dev/null:/etc/ld.so.preload:ro", "--entrypoint=env"]
    for program in (("cat",), ("python3", "-c", "import sys; print(open(sys.argv[1]).read())")):
        run = finished([*command, image, *program, AGENTS["pi"].secret])
        assert (KEY in run.stdout) is not vault, run
        assert ("Permission denied" in run.stderr) is vault

"""What several tests of remotes need: commands in a repository, and the study of `conftest`."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ENV = {
    "DVC_NO_ANALYTICS": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@b", "GIT_CONFIG_GLOBAL": "/dev/null",
}  # fmt: skip


def sh(folder: Path, *words: str) -> str:
    done = subprocess.run(words, cwd=folder, env=os.environ | ENV, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def dvc(folder: Path, *words: str) -> str:
    return sh(folder, sys.executable, "-m", "dvc", *words)


@dataclass(frozen=True)
class Study:
    """A repository, its store, and the ids of its releases."""

    folder: Path
    releases: dict[str, str]

    @property
    def store(self) -> Path:
        return self.folder / "data" / "store"

    def clone(self, to: Path) -> Path:
        """Return the store's place in a fresh clone; nothing is there yet."""
        sh(to.parent, "git", "clone", "-q", str(self.folder), str(to))
        return to / "data" / "store"

"""Moving a store to and from other machines: `push` and `pull`.

A remote is one of DVC's, by the name that ``dvc remote add`` gave it, or a URL or folder that holds a store as it lies
on disk. What moves is checked against the hashes of ``store.json``, and what is there already and right stays.
"""

from __future__ import annotations

from omicstore.remote.pull import Pulled, pull
from omicstore.remote.push import Pushed, push

__all__ = ["Pulled", "Pushed", "pull", "push"]

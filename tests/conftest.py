"""Fixtures of the whole suite. A room's own fixtures stand in its own tests."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.postgresql_cluster import Cluster, missing_part, running_cluster


def missing_input(reason: str) -> NoReturn:
    """Skip on a person's machine; fail in CI, where every input must be there."""
    if os.environ.get("REDRAFT_CI"):
        pytest.fail(f"{reason} (REDRAFT_CI is set, so a missing input is a failure)")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of public evaluation files; docs/test-data.md says where they come from."""
    folder = os.environ.get("REDRAFT_TEST_DATA", "")
    if not folder:
        missing_input("REDRAFT_TEST_DATA is unset: set it to the folder of files that docs/test-data.md lists")
    path = Path(folder)
    if not path.is_dir():
        pytest.fail(f"REDRAFT_TEST_DATA={folder!r} is no folder: set it to the one that docs/test-data.md describes")
    return path


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL cluster, started by the first test that needs one."""
    lacking = missing_part()
    if lacking:
        missing_input(lacking)
    with running_cluster() as started:
        yield started

"""Pictures that several tests of the picture world share. Not the place for tests."""

import numpy as np
import pytest
from numpy.typing import NDArray

from redraft.world import ALL_TASKS, Request, draw_request, parse, render

Sample = list[tuple[Request, NDArray[np.uint8]]]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def sample() -> Sample:
    """630 requests over all tasks, unsafe ones among them, each with a picture that is right."""
    rng = np.random.default_rng(20)
    requests = [draw_request(rng, task=ALL_TASKS[index % 9], weights="uniform") for index in range(600)]
    requests += [parse(f"{count} skulls") for count in ("two", "three", "four")] * 10
    return [(request, render(request, rng)) for request in requests]

"""Two real processes under a real `accelerate.Accelerator` train as one does, and stop together."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

WORKER = """
import json, sys
import torch
sys.path.insert(0, {folder!r})
from accelerate import Accelerator
from exact_parts import gaussian
from formula_parts import Formula, numbers, plain, quadratic
from redraft.core.errors import NumericsError
from redraft.core.keys import Key
from redraft.methods.fit import fit

KEY = Key(seed=41)

accelerator = Accelerator(cpu=True)

def run(formula, processes):
    examples, config = numbers([0.5, -1.0, 2.0, 4.0, 8.0]), plain(steps=4, batch_size=5, micro_batch=2)
    result = fit(Formula(formula), gaussian(), examples, config=config, key=KEY, processes=processes)
    logs = [[log.loss, log.parts["double"], log.gradient_norm] for log in result.log]
    return result.state.policy["shift"].item(), logs

def broken(shift, examples, step):
    bad = step == 1 and accelerator.process_index == 1
    return quadratic(shift, examples, step) * (torch.nan if bad else 1)

together, alone = run(quadratic, accelerator), run(quadratic, None)
try:
    run(broken, accelerator)
    message = ""
except NumericsError as error:
    message = str(error)
print(json.dumps(dict(processes=accelerator.num_processes, together=together, alone=alone, message=message)))
accelerator.end_training()
"""


@pytest.mark.slow
def test_two_processes_train_as_one() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = WORKER.format(folder=str(Path(__file__).parent))
    settings = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env=settings | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        answers = [json.loads(worker.communicate(timeout=240)[0].splitlines()[-1]) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    for answer in answers:
        assert answer["processes"] == 2
        # Adam divides by the gradient's size, so rounding of 1e-16 in a sum stays that small; logs pass in float32.
        assert answer["together"][0] == pytest.approx(answer["alone"][0], rel=1e-12)
        for together, alone in zip(answer["together"][1], answer["alone"][1], strict=True):
            assert together == pytest.approx(alone, rel=1e-6)
        assert "step 2: loss nan, gradient norm nan" in answer["message"]
    assert answers[0]["together"] == answers[1]["together"]

"""`redraft doctor`: says in plain words what is wrong with an environment, and how to mend it. Changes nothing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import typer

from redraft.cli import options
from redraft.cli.options import DEFAULT_WORKSPACE, print_json

NEEDED = ("torch", "diffusers", "transformers", "peft", "safetensors", "numpy", "scipy", "sqlalchemy", "pydantic")
LEAST_FREE = 2 * 10**9
"""Bytes that a run may need for pictures, states and checkpoints."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at. `way_out` says what to do about a warning or a fault."""

    subject: str
    state: Literal["ok", "warning", "fault"]
    text: str
    way_out: str = ""


def doctor(
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    as_json: options.Json = False,
) -> None:
    """Look at Python, packages, device, built-in models and disk, and say what is wrong. Exit code 1 if something is.

    Example: redraft doctor
    """
    findings = [_python(), *_packages(), _torchvision(), *_device(), *_models(), _disk(workspace)]
    if as_json:
        print_json({"healthy": _healthy(findings), "findings": [asdict(finding) for finding in findings]})
    else:
        signs = {"ok": "ok  ", "warning": "WARN", "fault": "BAD "}
        for finding in findings:
            typer.echo(f"{signs[finding.state]} {finding.subject}: {finding.text}")
            if finding.way_out:
                typer.echo(f"     -> {finding.way_out}")
        typer.echo("all is well" if _healthy(findings) else "something is wrong: see BAD above")
    if not _healthy(findings):
        raise typer.Exit(1)


def _healthy(findings: list[Finding]) -> bool:
    return all(finding.state != "fault" for finding in findings)


def _python() -> Finding:
    return Finding(subject="python", state="ok", text=f"{platform.python_version()}, {os.cpu_count()} processors")


def _packages() -> list[Finding]:
    findings = []
    for name in NEEDED:
        try:
            findings.append(Finding(subject=name, state="ok", text=importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            findings.append(
                Finding(subject=name, state="fault", text="is not installed", way_out=f"pip install {name}")
            )
    return findings


def _torchvision() -> Finding:
    if importlib.util.find_spec("torchvision") is None:
        return Finding(subject="torchvision", state="ok", text="is not installed, as it should be")
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError, OSError) as error:
        reason = (str(error) or repr(error)).splitlines()[0]
        return Finding(
            subject="torchvision",
            state="fault",
            text=f"is installed but does not work with this torch ({reason}); transformers "
            "sees it and then fails to import CLIP and every pipeline",
            way_out="pip uninstall torchvision (Redraft does not need it)",
        )
    return Finding(
        subject="torchvision", state="warning", text="is installed; Redraft does not use it",
        way_out="a version that does not fit torch breaks transformers: uninstall it unless something else needs it",
    )  # fmt: skip


def _device() -> list[Finding]:
    if importlib.util.find_spec("torch") is None:
        return []
    import torch

    if torch.cuda.is_available():
        return [Finding(subject="device", state="ok", text=f"{torch.cuda.get_device_name()} (use --device cuda)")]
    if torch.version.cuda is not None and not torch.version.hip:
        has_driver = shutil.which("nvidia-smi") is not None
        way_out = (
            "the driver may be older than this torch needs: compare nvidia-smi with torch's CUDA version"
            if has_driver
            else "this machine has no NVIDIA driver: the CPU works; to save gigabytes install the CPU build of torch"
        )
        text = f"torch was built for CUDA {torch.version.cuda}, but no GPU can be used: everything runs on the CPU"
        return [Finding(subject="device", state="warning", text=text, way_out=way_out)]
    return [Finding(subject="device", state="ok", text=f"CPU, {torch.get_num_threads()} threads")]


def _models() -> list[Finding]:
    from redraft.core.errors import RedraftError
    from redraft.models.builtin import NAMES, PREFIX, builtin_folder

    findings = []
    for name in NAMES:
        try:
            builtin_folder(PREFIX + name)
            findings.append(Finding(subject=PREFIX + name, state="ok", text="weights are in the package"))
        except RedraftError as error:
            findings.append(Finding(subject=PREFIX + name, state="fault", text=str(error), way_out="install again"))
    return findings


def _disk(workspace: Path) -> Finding:
    folder = workspace.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    text = f"{free / 1e9:.1f} GB free at {folder}"
    if not os.access(folder, os.W_OK):
        return Finding(
            subject="workspace", state="fault", text=f"{folder} may not be written", way_out="use --workspace elsewhere"
        )
    if free < LEAST_FREE:
        return Finding(
            subject="workspace", state="fault" if free < LEAST_FREE / 10 else "warning", text=text,
            way_out="a run may need 2 GB: free some space or use --workspace on another disk",
        )  # fmt: skip
    return Finding(subject="workspace", state="ok", text=text)

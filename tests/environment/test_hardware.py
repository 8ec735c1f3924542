from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from dataguard.environment.hardware import graphics, operating_system, processor, read_cards


def program(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_this_processor_and_system() -> None:
    cpu, system = processor(), operating_system()
    assert 1 <= cpu.n_usable <= cpu.n_logical
    assert cpu.architecture
    assert system.libc
    assert "Linux" in system.kernel


def test_cards_as_nvidia_smi_lists_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(
        tmp_path, monkeypatch, "echo 'NVIDIA H200, 570.86.15, 143771, 9.0'; echo 'NVIDIA H200, 570.86.15, 143771, 9.0'"
    )
    found = graphics()
    assert [card.name for card in found.cards] == ["NVIDIA H200"] * 2
    assert (found.driver, found.cards[0].compute_capability, found.note) == ("570.86.15", "9.0", "")


def test_a_driver_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, monkeypatch, "exec sleep 30")
    started = time.monotonic()
    found = graphics(timeout=0.2)
    assert time.monotonic() - started < 5
    assert "did not answer" in found.note


def test_a_driver_that_fails_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, monkeypatch, "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18")
    assert "version mismatch" in graphics().note


def test_an_answer_that_makes_no_sense_is_no_card() -> None:
    assert read_cards("") == ([], "")
    assert read_cards("No devices were found") == ([], "")
    cards, _ = read_cards("Tesla K80, 470.1, [N/A], [Not Supported]")
    assert (cards[0].memory_mib, cards[0].compute_capability) == (None, "")

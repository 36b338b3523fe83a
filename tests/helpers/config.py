"""The configuration as Hydra composes it."""

from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from polyexp.cli.composition import prepare
from polyexp.cli.configs import conf_dir
from tests.helpers.commands import run_in_process


def composed(*overrides: str) -> DictConfig:
    """The configuration of a command with these words, without running anything."""
    prepare()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("config", overrides=list(overrides))


def composed_by(folder: Path, *words: str) -> dict[str, Any]:
    """The values that a command with these words has, by their keys (`model.degree`), without running anything."""
    ended = run_in_process(*words, "--cfg", "job", cwd=folder)
    assert (ended.code, ended.err) == (0, "")
    nested = yaml.safe_load(ended.out)
    groups = {key: value for key, value in nested.items() if isinstance(value, dict)}
    return nested | {f"{group}.{name}": value for group, values in groups.items() for name, value in values.items()}

"""The configuration as Hydra composes it."""

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from polyexp.cli.composition import prepare
from polyexp.cli.configs import conf_dir


def composed(*overrides: str) -> DictConfig:
    """The configuration of a command with these words, without running anything."""
    prepare()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("config", overrides=list(overrides))

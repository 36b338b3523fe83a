"""The three YAML files that Hydra writes of a job, made from those of a template.

The text of a mapping in YAML's block style is that of its entries, one after another, and the text of an entry depends on
nothing but its key, its value and its depth. So a job needs new text only for the entries in which it differs.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf._utils import get_omega_conf_dumper

from polyexp.tracking import DESCRIPTIONS

__all__ = ["JobFiles", "JobTexts", "entry"]

# The mappings in Hydra's node some of whose entries are of a single job.
OF_JOBS = ("job", "overrides", "runtime")
ENTRY = re.compile(r" {4}[a-z]")
OF_MAPPING = re.compile(r"(  )?[a-z]+:$")


@dataclass(frozen=True)
class JobFiles:
    """The texts of the files that Hydra writes of a job.

    Args:
        config: The configuration without Hydra's node: `config.yaml`.
        hydra: Hydra's node: `hydra.yaml`.
        overrides: The overrides of the job: `overrides.yaml`.
    """

    config: str
    hydra: str
    overrides: str

    def write(self, folder: Path) -> None:
        """Make the folder of the job, and write the files into `.hydra` in it.

        Args:
            folder: The folder of the job.

        Raises:
            OSError: They cannot be written.
        """
        inner = folder / DESCRIPTIONS  # the setting `hydra.output_subdir` cannot be changed
        inner.mkdir(parents=True, exist_ok=True)
        for name in ("config", "hydra", "overrides"):
            (inner / f"{name}.yaml").write_text(getattr(self, name), encoding="utf-8")


class JobTexts:
    """What makes the files of the jobs of a template.

    Args:
        cfg: The configuration of the template, with Hydra's node.
    """

    def __init__(self, cfg: DictConfig) -> None:
        values: Any = OmegaConf.to_container(cfg, enum_to_str=True)
        hydra: dict[str, Any] = values.pop("hydra")
        self._config = {name: entry((name,), value) for name, value in values.items()}
        self._hydra: dict[tuple[str, ...], str] = {}
        for name, value in hydra.items():
            self._hydra[name,] = f"  {name}:\n" if name in OF_JOBS else entry(("hydra", name), value)
            if name in OF_JOBS:
                self._hydra |= {(name, one): entry(("hydra", name, one), inner) for one, inner in value.items()}

    def files(self, parts: Mapping[str, str], own: Mapping[tuple[str, str], Any], words: Sequence[str]) -> JobFiles:
        """The files of a job.

        Args:
            parts: The texts of the parts in which its configuration differs from that of the template, by their keys.
            own: The values of the job in Hydra's node, by their keys below it, such as ("job", "num").
            words: The overrides of the job.
        """
        hydra = self._hydra | _entries(own)
        return JobFiles(
            config="".join({**self._config, **parts}.values()),
            hydra="".join(["hydra:\n", *hydra.values()]),
            overrides=_dumped(list(words)),
        )


def entry(path: Sequence[str], value: Any) -> str:
    """The lines of an entry in the YAML text of nested mappings, as OmegaConf writes it.

    Args:
        path: The keys from the outermost mapping to the entry, which are short words.
        value: The value: numbers, texts, lists and dictionaries of them.

    Example:
        >>> print(entry(["hydra", "job", "id"], "3"), end="")
            id: '3'
    """
    nested: Any = reduce(lambda inner, key: {key: inner}, reversed(path), value)
    lines = _dumped(nested).splitlines(keepends=True)
    return "".join(lines[len(path) - 1 :])


def _entries(own: Mapping[tuple[str, str], Any]) -> dict[tuple[str, str], str]:
    """The lines of entries of mappings in Hydra's node, from one YAML text, as that is what takes time.

    Such an entry begins with its key after four blanks. What goes on with it stands further to the right, is an item of its
    list, or is empty.
    """
    nested: dict[str, dict[str, Any]] = {}
    for (mapping, key), value in own.items():
        nested.setdefault(mapping, {})[key] = value
    found: dict[tuple[str, str], str] = {}
    keys = iter((mapping, key) for mapping, inner in nested.items() for key in inner)
    at: tuple[str, str] | None = None
    for line in _dumped({"hydra": nested}).splitlines(keepends=True):
        if OF_MAPPING.match(line):
            at = None
        elif ENTRY.match(line):
            at = next(keys)
            found[at] = line
        elif at:
            found[at] += line
    return found


def _dumped(value: Any) -> str:
    """The YAML text of a value, as OmegaConf.to_yaml writes it."""
    dumper = get_omega_conf_dumper()
    text: str = yaml.dump(value, default_flow_style=False, allow_unicode=True, sort_keys=False, Dumper=dumper)
    return text

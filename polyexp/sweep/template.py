"""A composed configuration as the template of the jobs of a sweep, which differ from it in plain values only.

Hydra composes a configuration from its files in a tenth of a second. It then applies the overrides that name no file, and
writes all overrides into its own node. Only these two steps differ between jobs with the same choices, and take a few
milliseconds on a copy.
"""

import copy
import pickle
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, reduce
from pathlib import Path
from typing import Any, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override, OverrideType, Sweep
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from polyexp.base import InputError
from polyexp.experiment import PARTS, Experiment, build, build_part
from polyexp.sweep.job_files import JobFiles, JobTexts, entry

__all__ = ["JobOverrides", "Template", "hydra_config", "plain_among"]

# The parts of a configuration in which values may be plain; the address of a store is checked with the whole configuration.
WITH_PLAIN_VALUES = frozenset(PARTS) - {"tracking"}
OF_VALUES = (InputError, HydraException, OmegaConfBaseException)  # what is raised for a value that is wrong
NOW = re.compile(r"\$\{now:[^${}]*\}")  # the time at which the sweep began


def plain_among(overrides: Sequence[Override], is_group: Callable[[str], bool]) -> tuple[Override, ...]:
    """The overrides that only set a value, whatever the others are.

    Args:
        overrides: The overrides of a job.
        is_group: Whether there is a config group of this name.
    """
    plain, touched = [], []
    for one in overrides:
        if _sets_a_value(one) and not is_group(one.key_or_group):
            plain.append(one)
        elif isinstance(one.value(), dict) or not is_group(one.key_or_group):
            touched.append(one.key_or_group)
    return () if any(_overlap(one.key_or_group, key) for one in plain for key in touched) else tuple(plain)


def _sets_a_value(override: Override) -> bool:
    """Whether an override is `key=value` where the value is no mapping, no sweep, and refers to no other value."""
    value = override.value()
    return (
        override.type is OverrideType.CHANGE
        and override.package is None
        and override.key_or_group.partition(".")[0] in WITH_PLAIN_VALUES
        and not isinstance(value, (dict, Sweep))
        and "${" not in str(value)
    )


def _overlap(one: str, other: str) -> bool:
    """Whether two keys are the same, or one of them is that of a part of the other."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


@dataclass(frozen=True)
class JobOverrides:
    """The overrides of a job of a sweep.

    Args:
        task: Those of polyexp's settings, all of them, in the order in which they were given.
        plain: Those among them that the template does not have: `key=value` for a value that is no interpolation.
    """

    task: tuple[Override, ...]
    plain: tuple[Override, ...]

    @property
    def words(self) -> list[str]:
        """The overrides as they were given."""
        return [str(one.input_line) for one in self.task]

    def of_part(self, part: str) -> tuple[Override, ...]:
        """The plain overrides of a part of the configuration, such as `model` or `seed`."""
        return tuple(one for one in self.plain if one.key_or_group.partition(".")[0] == part)


class Template:
    """A configuration that was composed once for all jobs with the same choices.

    Components that do not differ between experiments are the same objects.

    Args:
        cfg: The configuration, which must not be changed any more.
    """

    def __init__(self, cfg: DictConfig) -> None:
        self._cfg = cfg
        # By the key of the part and the plain overrides in it.
        self._parts: dict[tuple[str, ...], Any] = {}
        self._part_texts: dict[tuple[str, ...], str] = {}

    def __reduce__(self) -> tuple[type["Template"], tuple[DictConfig]]:
        """What makes a copy in another process, which builds the parts that it needs."""
        return type(self), (self._cfg,)

    @cached_property
    def interpolated(self) -> bool:
        """Whether a setting of polyexp's refers to another one, so that an override can change several."""
        values = cast(dict[str, Any], OmegaConf.to_container(self._cfg))
        return any("${" in str(value) for key, value in values.items() if key != "hydra")

    def config(self, job: JobOverrides) -> DictConfig:
        """The configuration of a job, as Hydra composes it.

        Args:
            job: The overrides of the job.

        Raises:
            ConfigCompositionException: Where a value does not fit its key.
        """
        cfg: DictConfig = pickle.loads(self._pickled) if self._pickled else copy.deepcopy(self._cfg)
        ConfigLoaderImpl._apply_overrides_to_config(list(job.plain), cfg)
        cfg.hydra.overrides.task = job.words
        cfg.hydra.job.override_dirname = self._dirname(job)
        return cfg

    def experiment(self, job: JobOverrides, composed: Callable[[], DictConfig]) -> Experiment:
        """The experiment of a job.

        Args:
            job: The overrides of the job.
            composed: What gives its configuration, which is needed where the parts do not suffice, as for the first job.

        Raises:
            InputError: For a value out of range, a key without a value, or one that no component has.
        """
        if self._parts:
            with suppress(*OF_VALUES):  # which the whole configuration raises again
                return Experiment(**{part: self._part(part, job) for part in PARTS})
        cfg = composed()
        with hydra_config(cfg):
            experiment = build(cfg)
        if not self.interpolated:
            self._parts |= {_key(part, job): getattr(experiment, part) for part in PARTS}
        return experiment

    def folder(self, job: JobOverrides, number: int, composed: Callable[[], DictConfig]) -> tuple[str, str]:
        """The settings `hydra.sweep.dir` and `hydra.sweep.subdir` of a job.

        Args:
            job: The overrides of the job.
            number: The number of the job.
            composed: What gives its configuration, which is needed where they refer to other settings than most do.
        """
        own = {"${hydra.job.num}": str(number), "${hydra.job.override_dirname}": self._dirname(job)}
        folder, subdir = (reduce(lambda text, name: text.replace(name, own[name]), own, one) for one in self._folder)
        if not re.search(r"\\|\$\{", folder + subdir):
            return folder, subdir
        cfg = composed()
        with hydra_config(cfg):
            folder, subdir = (str(OmegaConf.select(cfg, f"hydra.sweep.{key}")) for key in ("dir", "subdir"))
        return folder, subdir

    def files(self, job: JobOverrides, number: int, folder: Path) -> JobFiles:
        """The files that Hydra writes of a job.

        Args:
            job: The overrides of the job.
            number: The number of the job.
            folder: The folder of the job, absolute.
        """
        own = {
            ("overrides", "task"): job.words,
            ("job", "override_dirname"): self._dirname(job),
            ("job", "id"): str(number),
            ("job", "num"): number,
            ("runtime", "output_dir"): str(folder),
        }
        changed = {one.key_or_group.partition(".")[0] for one in job.plain}
        return self._texts.files({part: self._text(part, job) for part in changed}, own, job.words)

    @cached_property
    def _pickled(self) -> bytes | None:
        """The configuration in the form that is copied fastest; None where a plugin has made a class without a module."""
        try:
            return pickle.dumps(self._cfg)
        except (pickle.PicklingError, AttributeError, TypeError):
            return None

    @cached_property
    def _texts(self) -> JobTexts:
        return JobTexts(self._cfg)

    @cached_property
    def _folder(self) -> list[str]:
        """The texts of `hydra.sweep.dir` and `hydra.sweep.subdir`, resolved where they refer to the time alone."""
        raw = cast(dict[str, Any], OmegaConf.to_container(self._cfg.hydra.sweep))
        keys = {key: "${" in NOW.sub("", str(raw[key])) for key in ("dir", "subdir")}
        return [str(raw[key] if varies else self._cfg.hydra.sweep[key]) for key, varies in keys.items()]

    def _dirname(self, job: JobOverrides) -> str:
        return get_overrides_dirname(list(job.task), **self._dirname_settings)

    @cached_property
    def _dirname_settings(self) -> dict[str, Any]:
        settings = self._cfg.hydra.job.config.override_dirname
        return {name: settings[name] for name in ("kv_sep", "item_sep", "exclude_keys")}

    def _part(self, part: str, job: JobOverrides) -> Any:
        """A component, or another part of an experiment, which is built once for the same plain overrides."""
        key = _key(part, job)
        if key not in self._parts:
            self._parts[key] = build_part(self._changed(part, job), part)
        return self._parts[key]

    def _text(self, part: str, job: JobOverrides) -> str:
        """The text of a part in `config.yaml`."""
        key = _key(part, job)
        if key not in self._part_texts:
            value = OmegaConf.to_container(self._changed(part, job), enum_to_str=True)
            self._part_texts[key] = entry((part,), cast(dict[str, Any], value)[part])
        return self._part_texts[key]

    def _changed(self, part: str, job: JobOverrides) -> DictConfig:
        """A part of the configuration of a job, alone."""
        cfg = OmegaConf.create()
        cfg[part] = self._cfg._get_node(part)  # a copy, with its type; masked_copy would drop the types of numbers
        OmegaConf.set_struct(cfg, True)
        ConfigLoaderImpl._apply_overrides_to_config(list(job.of_part(part)), cfg)
        return cfg


def _key(part: str, job: JobOverrides) -> tuple[str, ...]:
    return (part, *(str(one.input_line) for one in job.of_part(part)))


@contextmanager
def hydra_config(cfg: DictConfig) -> Iterator[None]:
    """A context in which `${hydra:...}` is found in a configuration.

    Args:
        cfg: The configuration; one without Hydra's node changes nothing.
    """
    instance: Any = HydraConfig.instance()
    before = instance.cfg
    if "hydra" in cfg:
        instance.cfg = cfg  # HydraConfig.set_config would copy the whole node
    try:
        yield
    finally:
        instance.cfg = before

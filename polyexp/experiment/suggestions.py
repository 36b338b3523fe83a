"""The words that were meant by words that do not exist: names that other libraries use, and misspelt ones."""

from collections.abc import Collection

from polyexp.base import SETTINGS, Component, closest, meant, nearest

__all__ = ["choice_hint", "key_hint"]

# Names that other libraries or papers give to a setting, and the settings here. The first that applies is suggested.
SETTINGS_ELSEWHERE = {
    "loop.steps": "epochs epoch n_epochs num_epochs max_epochs iterations iteration iters n_iter num_iterations max_iter "
    "max_iterations nsteps n_steps num_steps max_steps step t",
    "loop.log_every": "log_interval log_freq print_every every verbose_every",
    "loop.tolerance": "tol rtol atol ftol eps_stop",
    "loop.patience": "early_stopping n_iter_no_change",
    "optimizer.learning_rate": "lr rate eta eta0 step_size stepsize learningrate alpha0",
    "optimizer.momentum": "beta mu",
    "optimizer.beta1": "b1 beta_1 betas",
    "optimizer.beta2": "b2 beta_2",
    "optimizer.eps": "epsilon",
    "optimizer.alpha": "rho decay",
    "problem.num_samples": "n samples n_samples nsamples num_points n_points points size batch_size",
    "model.degree": "n deg order n_terms degrees power",
    "problem.domain": "interval range xlim bounds",
    "problem.noise": "sigma std noise_std",
    "problem.target": "func f function function_name",
    "problem.path": "file csv data data_file filename input",
    "backend.dtype": "precision type float",
    "device.threads": "num_threads n_jobs nthreads cores",
    "device.index": "gpu gpu_id gpu_index device_id",
    "model.initial": "init init_params weights w0 x0 initialization start",
    "model.initial_scale": "init_scale scale",
    "seed": "random_seed random_state rng manual_seed",
    "quiet": "silent verbose verbosity",
    "tracking.uri": "tracking_uri mlflow_tracking_uri store",
    "tracking.experiment_name": "experiment_id project run_group",
    "report.pictures": "plot plots figures plotting",
}
# The same for the choices of groups, which are also typed as if they were settings.
CHOICES_ELSEWHERE = {
    "optimizer": {
        "gradient_descent": "sgd gd bgd vanilla descent steepest_descent",
        "momentum": "heavy_ball heavyball polyak",
        "nesterov": "nag accelerated",
        "rmsprop": "rms rms_prop",
        "adam": "adamw nadam amsgrad",
    },
    "device": {"cuda": "gpu nvidia cuda:0", "cpu": "processor"},
    "model": {
        "power_series": "poly polynomial taylor monomial power",
        "chebyshev_series": "chebyshev cheb",
        "hermite_series": "hermite",
    },
    "backend": {"torch": "pytorch", "numpy": "np"},
    "loop": {
        "autograd": "backprop autodiff",
        "custom_function": "function",
        "closed_form": "exact analytic",
        "manual": "hand",
    },
    "tracking": {"none": "off no null disabled false", "mlflow": "on true default"},
    "action": {"fit": "train run", "compare": "diff", "predict": "forecast", "crosscheck": "test check verify"},
    "problem": {"file": "csv data npz parquet", "runge": "lorentzian"},
}

ALONE = 0.75  # the least similarity of a word without a group to the name of a setting


def key_hint(key: str, applicable: Collection[str]) -> str:
    """A sentence that names the key that was probably meant, or an empty text.

    Args:
        key: The key that does not exist.
        applicable: The keys that exist, in the order in which one is preferred to another.
    """
    group, _, last = key.rpartition(".")
    word = last.lower().replace("-", "_")
    same = [one for one in applicable if _ending(one) == word and one != key]
    elsewhere = [one for one, names in SETTINGS_ELSEWHERE.items() if word in names.split() and one in applicable]
    here = [one for one in applicable if group and one.startswith(f"{group}.")]
    found = [one for one in (*same, *elsewhere) if one in here] or same[:1] or elsewhere
    if found:
        return meant(*found[:2])
    if not group:
        names = {_ending(one): one for one in reversed(list(applicable))}
        similar = closest(word, names, ALONE)
        return meant(names[similar]) if similar else nearest(key, applicable)
    if not here:
        return nearest(key, [one for one in applicable if "." in one])
    names = {_ending(one): one for one in here}
    similar = closest(word, names)
    return meant(names[similar]) if similar else f" The settings of `{group}` are {', '.join(names)}."


def choice_hint(group: str, word: str, allowed: Collection[str]) -> str:
    """A sentence that names the choice that was probably meant, or the file that is missing; an empty text for neither.

    Args:
        group: The config group.
        word: The choice that does not exist.
        allowed: The choices that exist.
    """
    brought = Component.registry.get((group, word))
    if brought and not brought.__module__.startswith("polyexp."):
        return f" Its class is there, but not `conf/{group}/{word}.yaml` in the package that brings it: install it with that."
    names = CHOICES_ELSEWHERE.get(group, {})
    lower = word.lower()
    same = [one for one in allowed if lower.replace("-", "_") in (one.lower(), one.lower().rpartition("/")[2])]
    elsewhere = [one for one in allowed if lower in names.get(one, "").split()]
    others = [
        f"{one}={name}"
        for one, name in Component.registry
        if name == lower and one != group and {group, one} <= {*SETTINGS}
    ]
    return meant(*(same or elsewhere or others)[:2]) or nearest(lower, allowed)


def _ending(key: str) -> str:
    return key.rpartition(".")[2]

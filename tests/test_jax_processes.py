"""jax in processes of its own: not installed, set up before it is imported, its threads, and the cache of what it compiles."""

import json
import os
import sys
from pathlib import Path

import pytest

from polyexp.backend.jax_setup import _usable as usable
from tests.helpers.commands import execute, loaded_by

# `python -c WITHOUT_JAX *words` is polyexp where jax is not installed: it is neither found nor imported.
WITHOUT = """
import sys
sys.modules |= dict.fromkeys(%s)
from polyexp.__main__ import main
sys.exit(main())
"""
WITHOUT_JAX = WITHOUT % ["jax", "jaxlib"]
QUICK = ("tracking=none", "report.pictures=none", "problem.num_samples=20", "model.degree=3", "loop.steps=20")
FIT = "p.fit(p.Problem(), p.PowerSeries(), loop=p.Manual(steps=20), backend=p.JAX())"


def python(code, *words, cwd, **variables):
    """A program in a fresh Python, whose warnings are shown. variables: added to the environment."""
    kept = {name: os.environ[name] for name in os.environ if name not in ("XLA_FLAGS", "PJRT_NPROC")}
    cache = {"XDG_CACHE_HOME": str(cwd / "cache")}
    return execute([sys.executable, "-W", "always", "-c", code, *words], cwd, kept | cache | variables)


def polyexp(*words, cwd, **variables):
    """`python -m polyexp *words` as users run it."""
    main = "import sys\nfrom polyexp.__main__ import main\nsys.exit(main())"
    return python(main, *QUICK, *words, cwd=cwd, **variables)


@pytest.mark.parametrize("missing", [["jax", "jaxlib"], ["jaxlib"], ["platformdirs"]], ids=str)
def test_jax_that_is_not_installed_is_one_sentence(tmp_path, missing):
    """So is jax without what it needs."""
    done = python(WITHOUT % missing, "backend=jax", cwd=tmp_path)
    wanted = f"polyexp: `backend=jax` needs {missing[0]}, which is not installed: type `pip install 'polyexp[jax]'`.\n"
    assert done == (2, "", wanted)
    assert list(tmp_path.iterdir()) == []  # no run folder, database, result or cache


def test_a_crosscheck_without_jax_leaves_it_out(tmp_path):
    done = python(WITHOUT_JAX, *QUICK, "action=crosscheck", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert "torch custom_function cpu" in done.out
    assert "jax" not in done.out


def test_a_crosscheck_with_other_threads_agrees(tmp_path):
    """Its formulations run with the threads that jax has in the process."""
    done = polyexp("action=crosscheck", "backend=jax", "device.threads=2", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert "jax custom_function cpu" in done.out


def test_a_backend_without_a_device_has_the_threads_of_the_process(tmp_path):
    code = f"import polyexp as p\np.JAX().on_device(p.CPU(threads=2))\nprint({FIT}.outcome.name, p.JAX().device)"
    assert python(code, cwd=tmp_path) == (0, "MAX_STEPS cpu\n", "")


@pytest.mark.parametrize("device", ["None", "p.CPU()", "p.Auto()"])
def test_who_gives_no_number_of_threads_gets_those_of_the_process(tmp_path, device):
    """A backend that was made before jax was first used, too."""
    code = f"""
import polyexp as p
early = p.JAX()
{FIT[:-1]}, device=p.CPU(threads=2))
for backend in (early, p.JAX()):
    print(p.fit(p.Problem(), p.PowerSeries(), loop=p.Manual(steps=20), backend=backend, device={device}).outcome.name)
    print(backend.on_device({device if device != "None" else "backend.device"}).device.threads)
"""
    assert python(code, cwd=tmp_path) == (0, "MAX_STEPS\n2\n" * 2, "")


@pytest.mark.parametrize("words", [("backend=jax",), ("action=crosscheck",)], ids=["fit", "crosscheck"])
def test_a_platform_that_is_not_there(tmp_path, words):
    """jax does not start: a fit is refused in a sentence, and a crosscheck leaves jax out."""
    done = polyexp(*words, cwd=tmp_path, JAX_PLATFORMS="cuda")
    if words == ("backend=jax",):
        assert done.code == 2
        assert done.err.startswith("polyexp: `backend=jax` cannot be used, because jax does not start here: ")
        assert done.err.count("\n") == 1
    else:
        assert (done.code, done.err) == (0, "")
        assert "torch manual cpu" in done.out
        assert "jax" not in done.out


def test_jax_is_imported_when_it_computes():
    assert loaded_by("import polyexp as p\np.JAX().offers, hash(p.JAX('float32'))") == []


def test_a_fit_by_jax_does_without_torch(tmp_path):
    assert loaded_by(f"import polyexp as p\n{FIT}", cwd=tmp_path) == ["jax"]


def is_file(folder: Path) -> None:
    folder.write_text("")


def is_read_only(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o555)
    if os.access(folder, os.W_OK):
        pytest.skip("this user, such as root, may write everywhere")


@pytest.mark.parametrize(
    ("words", "cache"),
    [
        ([], None),
        (["loop=autograd", "device.threads=2"], None),
        ([], is_file),
        ([], is_read_only),
    ],
    ids=["plain", "threads", "file", "read-only"],
)
def test_a_run_by_jax_prints_nothing_of_jax(tmp_path, words, cache):
    """Neither its own lines nor warnings, whether or not there is a cache folder."""
    if cache:
        cache(tmp_path / "cache")
    done = polyexp("backend=jax", *words, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    first, *others = done.out.splitlines()
    assert "on jax " in first
    assert first.endswith(", float64, cpu")
    assert [line for line in others if any(word in line.lower() for word in ("jax", "xla", "cache", "warning"))] == []
    assert any((tmp_path / "outputs").rglob("result.json"))
    assert any((tmp_path / "cache").rglob("*-cache")) == (cache is None)


def test_folders_that_cannot_be_used(tmp_path, monkeypatch):
    """A file in place of the folder itself, and a folder that may be read only (root may write to all)."""
    assert usable(tmp_path / "made" / "below")
    file = tmp_path / "file"
    file.write_text("")
    assert not usable(file)
    assert not usable(file / "below")
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    assert not usable(tmp_path)


def test_threads_and_flags_are_set_before_jax_is_imported(tmp_path):
    """XLA reads them once. A flag that the user had stays in force: here, one that makes two devices of the processor."""
    program = f"""
import json, os, sys
import polyexp as p
from importlib.abc import MetaPathFinder
from pathlib import Path

seen = {{}}

class Spy(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "jax._src":  # jax itself runs now, and `find_spec("jax")` does not get here
            seen.update(os.environ)

sys.meta_path.insert(0, Spy())
device = p.JAX().on_device(p.CPU(2)).device
{FIT[:-1]}, device=device)
refused = []
for threads in (1, 3):
    try:
        p.JAX().on_device(p.CPU(threads))
    except p.InputError as error:
        refused.append(str(error))
p.JAX().on_device(p.CPU(2))
import jax
before, after = ([where[name] for name in ("XLA_FLAGS", "PJRT_NPROC")] for where in (seen, os.environ))
pool = [task.joinpath("comm").read_text().strip() for task in Path("/proc/self/task").glob("*")].count("tf_XLAEigen")
print(json.dumps([before, after, device.threads, pool, jax.device_count(), refused]))
"""
    own = "--xla_force_host_platform_device_count=2"
    done = python(program, cwd=tmp_path, XLA_FLAGS=own)
    assert (done.code, done.err) == (0, "")
    before, after, threads, pool, devices, refused = json.loads(done.out)
    assert before == after == [f"--xla_cpu_multi_thread_eigen=true {own}", "2"]
    assert (threads, devices) == (2, 2)
    assert pool == 2 or not sys.platform.startswith("linux")  # the threads of XLA's own pool
    assert refused == [
        f"`device.threads` must be 2 with `backend=jax` in this process, got {threads}: jax takes its number of threads "
        "when it is first used."
        for threads in (1, 3)
    ]


# Prints the cache folder, the number of compiled functions that were read from it and of those that were not, and the loss.
# %s: what is done to the folder once jax is set up.
COUNTS = f"""
import json, shutil
import polyexp as p
from polyexp.backend.jax_setup import cache_folder, set_up

set_up()
import jax
folder = cache_folder()
%s
events = []
jax.monitoring.register_event_listener(lambda event, **about: events.append(event.removeprefix("/jax/compilation_cache/")))
loss = {FIT}.loss
print(json.dumps([str(folder), jax.__version__, events.count("cache_hits"), events.count("cache_misses"), float(loss)]))
"""


def counted(cwd, before="", **variables):
    done = python(COUNTS % before, cwd=cwd, **variables)
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out)


def test_the_second_process_reads_what_the_first_has_compiled(tmp_path):
    place, version, hits, misses, loss = counted(tmp_path)
    folder = Path(place)
    assert folder.parent == tmp_path / "cache" / "polyexp"
    assert folder.name.startswith(f"jax-{version}-")
    assert len(folder.name.removeprefix(f"jax-{version}-")) == 12  # the processor
    entries = sorted(folder.glob("*-cache"))
    assert (hits, misses) == (0, len(entries))
    assert misses == 2  # the updates of a block, and the one with its loss
    assert counted(tmp_path) == [place, version, 2, 0, loss]
    assert sorted(folder.glob("*-cache")) == entries
    # What cannot be read is compiled again.
    for entry in entries:
        entry.write_bytes(b"damaged")
    assert counted(tmp_path)[-1] == loss


def test_a_cache_folder_that_goes_away_does_no_harm(tmp_path):
    """It is replaced by a file while the process runs, so that nothing can be read or written."""
    _, _, hits, _, loss = counted(tmp_path, "shutil.rmtree(folder)\nfolder.write_text('')")
    assert hits == 0
    assert loss == pytest.approx(147.3, abs=0.1)  # after 20 steps

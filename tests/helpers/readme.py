"""The blocks of the README, and the package that its section "A model of your own" describes."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
TEXT = README.read_text()
BLOCKS = {kind: re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL) for kind in ("bash", "python", "toml", "yaml")}


def plugin_source() -> str:
    """The module with the class `Fourier`."""
    (source,) = (block for block in BLOCKS["python"] if "class Fourier" in block)
    return source


def install_plugin(folder: Path) -> dict[str, str]:
    """Install the package in `folder`, and return the environment in which Python finds it.

    The class, the YAML and the entry point are those that the README shows.
    """
    (yaml,) = BLOCKS["yaml"]
    (toml,) = BLOCKS["toml"]
    path = re.search(r"`(conf/model/\S+\.yaml)` inside that package", TEXT)
    entry = re.search(r'entry-points\."(.*)"\]\n(.*)', toml)
    assert path
    assert entry
    files = {
        "my_package/__init__.py": "",
        "my_package/models.py": plugin_source(),
        f"my_package/{path[1]}": yaml,
        "my_package-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n",
        "my_package-1.0.dist-info/entry_points.txt": f"[{entry[1]}]\n{entry[2].replace(chr(34), '')}\n",
    }
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return {"PYTHONPATH": str(folder)}

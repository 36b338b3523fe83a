"""The pages of the documentation, their blocks, and the package that docs/own-model.md describes."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]
OWN_MODEL = "docs/own-model.md"
PROGRAM = "python -m polyexp "


@dataclass(frozen=True)
class Block:
    """A block between fences."""

    kind: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The commands of a block of bash, one line each, without their comments."""
        if self.kind != "bash":
            return []
        lines = re.sub(r" *\\\n *", " ", self.text).splitlines()
        return [command for line in lines if (command := re.split(r"(?:^| )#", line)[0].strip())]


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks_of(page: str) -> list[Block]:
    """The blocks of a page, in their order."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)
    return [Block(kind, text) for kind, text in found]


def is_run(command: str) -> bool:
    """Whether a command is one of polyexp."""
    return f"{command} ".startswith(PROGRAM)


def _only_block(kind: str) -> str:
    (text,) = (block.text for block in blocks_of(OWN_MODEL) if block.kind == kind)
    return text


def plugin_source() -> str:
    """The module with the class `Fourier`."""
    return _only_block("python")


def install_plugin(folder: Path) -> dict[str, str]:
    """Install the package in `folder`, and return the environment in which Python finds it.

    The class, the YAML and the entry point are those that the page shows.
    """
    path = re.search(r"`(conf/model/\S+\.yaml)` inside that package", text_of(OWN_MODEL))
    entry = re.search(r'entry-points\."(.*)"\]\n(.*)', _only_block("toml"))
    assert path
    assert entry
    files = {
        "my_package/__init__.py": "",
        "my_package/models.py": plugin_source(),
        f"my_package/{path[1]}": _only_block("yaml"),
        "my_package-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n",
        "my_package-1.0.dist-info/entry_points.txt": f"[{entry[1]}]\n{entry[2].replace(chr(34), '')}\n",
    }
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return {"PYTHONPATH": str(folder)}

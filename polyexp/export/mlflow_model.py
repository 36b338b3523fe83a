"""A fitted polynomial as the files of an MLflow model, which MLflow loads from source code.

The code is the exported Python function with a class around it that MLflow calls. Of a run it holds numbers, and texts in
comments. The files have the form that MLflow itself writes for a model from code (`mlflow.pyfunc.save_model` with the path of
a Python file), and are written without it.
"""

import json
import platform
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from polyexp.export.formats import Exported, python_source

__all__ = ["MODEL_NAME", "About", "model_files"]

MODEL_NAME = "model"  # of each model in MLflow, so that its address is runs:/<id of the run>/model
CODE = "polynomial.py"
EXAMPLES = 5  # values of x in the input example
REQUIREMENTS = "mlflow>=3,<4\nnumpy\n"  # MLflow loads and serves it; it leaves out none that it is not told of

CODE_OF_MODEL = """\
\"\"\"A polynomial that polyexp has fitted, as an MLflow model. It needs numpy, and MLflow, which loads it.\"\"\"

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

{function}

class Polynomial(PythonModel):
    \"\"\"The function above for an array of x.\"\"\"

    def predict(self, context, model_input: np.ndarray, params=None):
        \"\"\"The value at each x, of an array or of what MLflow makes of an input by the signature, a mapping from "x".\"\"\"
        x = np.asarray(model_input["x"] if isinstance(model_input, dict) else model_input, np.float64)
        with np.errstate(all="ignore"):
            return np.array(np.broadcast_to({name}(x), x.shape))


set_model(Polynomial())
"""
SIGNATURE_INPUTS = '[{"name": "x", "type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]'
SIGNATURE_OUTPUTS = '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]'
MLMODEL = """\
artifact_path: {location}
flavors:
  python_function:
    code: null
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.pyfunc.loaders.code_model
    model_code_path: {code}
    python_version: {python}
    streamable: false
is_signature_from_type_hint: false
mlflow_version: {mlflow}
model_id: {model_id}
model_size_bytes: {size}
model_uuid: {model_id}
prompts: null
run_id: {run_id}
saved_input_example_info:
  artifact_path: input_example.json
  serving_input_path: serving_input_example.json
  type: ndarray
signature:
  inputs: '{inputs}'
  outputs: '{outputs}'
  params: null
type_hint_from_example: false
utc_time_created: '{time}'
"""
PYTHON_ENV = """\
python: {python}
build_dependencies:
- pip
- setuptools
- wheel
dependencies:
- -r requirements.txt
"""
CONDA = """\
channels:
- conda-forge
dependencies:
- python={python}
- pip
- pip:
  - mlflow>=3,<4
  - numpy
name: mlflow-env
"""


@dataclass(frozen=True)
class About:
    """What MLflow knows of a model beside its code.

    Args:
        model_id: Its id.
        run_id: The id of the run.
        location: The location of its files, as MLflow spells it.
        time: When it was made, in milliseconds since 1970.
        mlflow: The version of MLflow whose form the files have.
    """

    model_id: str
    run_id: str
    location: str
    time: int
    mlflow: str


def model_files(export: Exported, about: About) -> dict[str, bytes]:
    """The content of each file of a model by its name.

    Args:
        export: The polynomial in float64.
        about: What MLflow knows of the model.
    """
    x = {"x": np.linspace(*export.accuracy.domain, EXAMPLES).tolist()}
    python = platform.python_version()
    files = {
        CODE: CODE_OF_MODEL.format(function=python_source(export), name=export.function),
        "conda.yaml": CONDA.format(python=python),
        "input_example.json": json.dumps(x),
        "python_env.yaml": PYTHON_ENV.format(python=python),
        "requirements.txt": REQUIREMENTS,
        "serving_input_example.json": json.dumps({"inputs": x}, indent=2),
    }
    content = {name: text.encode("utf-8", "backslashreplace") for name, text in files.items()}
    return {**content, "MLmodel": _mlmodel(about, python, sum(map(len, content.values()))).encode()}


def _mlmodel(about: About, python: str, size: int) -> str:
    """The file by which MLflow knows a model."""
    made = datetime.fromtimestamp(about.time / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return MLMODEL.format(
        location=quoted(about.location),
        code=CODE,
        python=python,
        mlflow=quoted(about.mlflow),
        model_id=quoted(about.model_id),
        size=size,
        run_id=quoted(about.run_id),
        inputs=SIGNATURE_INPUTS,
        outputs=SIGNATURE_OUTPUTS,
        time=made,
    )


def quoted(text: str) -> str:
    r"""A text as YAML: as JSON spells it, with the characters that cannot be seen, which YAML does not take, as numbers.

    Args:
        text: The text, without halves of characters.

    Example:
        >>> print(quoted("/outputs/a: b\x7f"))
        "/outputs/a: b\U0000007f"
    """
    spelt = json.dumps(text, ensure_ascii=False)
    return "".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in spelt)

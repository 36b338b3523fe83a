"""The base of all other folders: components, errors, and the validation of values."""

from polyexp.base.arguments import path_errors, require_path, require_text
from polyexp.base.component import SETTINGS, Component
from polyexp.base.errors import DisagreementError, FolderError, InputError, NotDeliveredError
from polyexp.base.files import folder_errors, open_regular, replaced, save_bytes, save_text, sync_folder
from polyexp.base.former_names import FormerNames
from polyexp.base.optional import import_optional
from polyexp.base.text import bounded, counted, cut, from_here, printable, shown, spell
from polyexp.base.validation import (
    as_numbers,
    closest,
    finite,
    finite_array,
    fraction,
    meant,
    nearest,
    number_list,
    one_of,
    positive,
    real_array,
    require,
    require_unmasked,
    seeds,
    whole,
)
from polyexp.base.value import Value, by_value

__all__ = [
    "SETTINGS",
    "Component",
    "DisagreementError",
    "FolderError",
    "FormerNames",
    "InputError",
    "NotDeliveredError",
    "Value",
    "as_numbers",
    "bounded",
    "by_value",
    "closest",
    "counted",
    "cut",
    "finite",
    "finite_array",
    "folder_errors",
    "fraction",
    "from_here",
    "import_optional",
    "meant",
    "nearest",
    "number_list",
    "one_of",
    "open_regular",
    "path_errors",
    "positive",
    "printable",
    "real_array",
    "replaced",
    "require",
    "require_path",
    "require_text",
    "require_unmasked",
    "save_bytes",
    "save_text",
    "seeds",
    "shown",
    "spell",
    "sync_folder",
    "whole",
]

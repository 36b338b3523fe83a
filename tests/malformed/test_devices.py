"""Devices that do not exist, by name, index or number of threads; no device of the machine is touched."""

import pytest

from tests.helpers.config import composed_by
from tests.helpers.refusals import require_refused

ONE_OF = "`device` must be one of auto, cpu, cuda, got "
ONE_CHOICE = "`device` takes the name of one choice (auto, cpu, cuda), got "
INDEX = "`device.index` must be a whole number"
THREADS = "`device.threads` must be a whole number"

WRONG = {
    "device=gpu": f"{ONE_OF}'gpu'. Did you mean 'cuda'?",
    "device=GPU": f"{ONE_OF}'GPU'. Did you mean 'cuda'?",
    "device=CPU": f"{ONE_OF}'CPU'. Did you mean 'cpu'?",
    "device=cuda:0": f"{ONE_OF}'cuda:0'. Did you mean 'cuda'?",
    "device=tpu": f"{ONE_OF}'tpu'",
    "device=": f"{ONE_OF}''",
    "device=0": f"{ONE_CHOICE}'0'.",
    "device=null": f"{ONE_CHOICE}'null'.",
    "device=[cpu]": f"{ONE_CHOICE}'[cpu]'.",
    "device=cpu,auto": "put -m in front for a sweep",
    "-m device=cpu,gpu": f"{ONE_OF}'gpu'. Did you mean 'cuda'?",
    "cuda=1": "`cuda` is not a setting of this experiment.",
    "gpu=0": "`gpu` is not a setting of this experiment.",
    "device=auto gpu=0": "Did you mean 'device.index'?",
    "device.index=0": "It belongs to `device=auto`, `device=cuda`.",
    "device=cuda device.threads=2": "It belongs to `device=auto`, `device=cpu`.",
    "-m device=cpu,auto device.index=0": "`device.index` is no setting of `device=cpu`",
    "device=auto device.index=-1": f"{INDEX} from 0 to 127, got -1.",
    "device=auto device.index=9999999999": f"{INDEX} from 0 to 127, got 9999999999.",
    "device=auto device.index=128": f"{INDEX} from 0 to 127, got 128.",
    "device=auto device.index=1.5": f"{INDEX}, got '1.5'.",
    "device=auto device.index=cuda:1": f"{INDEX}, got 'cuda:1'.",
    "device=auto device.index=[0,1]": f"{INDEX}, got '[0,1]'.",
    "device=cuda device.index=1e9": f"{INDEX} from 0 to 127, got 1000000000.",
    "device.threads=0": f"{THREADS} from 1 to 1024, got 0.",
    "device.threads=1025": f"{THREADS} from 1 to 1024, got 1025.",
    "device.threads=all": f"{THREADS}, got 'all'.",
}


@pytest.mark.parametrize(("words", "sentence"), WRONG.items())
def test_a_device_that_does_not_exist_is_refused(tmp_path, words, sentence):
    assert sentence in require_refused(tmp_path, *words.split())


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        ("", {"device.threads": 1}),
        ("device=cpu device.threads=1024", {"device.threads": 1024}),
        ("device=cuda device.index=127", {"device.index": 127}),
        ("device=auto device.index=1e0 device.threads=2", {"device.index": 1, "device.threads": 2}),
    ],
)
def test_a_device_is_chosen(tmp_path, words, settings):
    found = composed_by(tmp_path, *words.split())
    assert {key: value for key, value in found.items() if key.startswith("device.")} == settings


def test_no_number_of_threads_leaves_it_to_the_device(tmp_path):
    assert composed_by(tmp_path, "device.threads=null")["device.threads"] is None

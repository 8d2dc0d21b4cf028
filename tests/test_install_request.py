"""What a command line asks for, and what is refused by name."""

from __future__ import annotations

import install_plans
import pytest

from gpucheck.commands import arguments
from gpucheck.facts.plan import Request
from gpucheck.install.choosing.request import request
from gpucheck.install.errors import Refused
from gpucheck.install.indexes.manual import by_hand
from gpucheck.install.indexes.settings import Settings


@pytest.mark.parametrize(
    ("names", "cpu", "extras", "meant"),
    [
        ((), False, (), Request()),
        (("tensorflow",), False, (), Request()),
        (("tensorflow==2.18.1",), False, (), Request("2.18.1")),
        (("TensorFlow[and-cuda]==2.18.1",), False, (), Request("2.18.1", cuda=True)),
        (("tensorflow-cpu==2.20.0",), False, (), Request("2.20.0", True)),
        (("tensorflow_gpu==1.2.1",), False, (), Request("1.2.1")),
        (("tensorflow==2.18.1", "keras"), False, (), Request("2.18.1")),
        ((), False, ("jupyter", "keras-hub", "jupyter"), Request(extras=("jupyter", "keras-hub"))),
        ((), False, ("scipy<1.15", "polars"), Request(packages=("scipy<1.15", "polars"))),
        ((), False, ("tensorflow==2.19.1",), Request("2.19.1")),
    ],
)
def test_words_mean_a_request(names: tuple[str, ...], cpu: bool, extras: tuple[str, ...], meant: Request) -> None:
    assert request(names, cpu, extras) == meant


@pytest.mark.parametrize(
    ("names", "extras", "said"),
    [
        (("tensorflow-gpu",), (), "stub"),
        (("tensorflow-gpu==2.12.0",), (), "stub"),
        (("tensorflow-cuda13",), (), "placeholder"),
        ((), ("theano",), "pytensor"),
        ((), ("Theano>=1",), "pytensor"),
        ((), ("gpucheck",), "gpucheck-cli"),
        (("numpy",), (), "--with numpy"),
        (("tensorflow>=2.18",), (), "one version"),
        (("tensorflow==2.18.*",), (), "one version"),
        (("tensorflow==2.18.1", "tensorflow==2.19.1"), (), "there can be one"),
        (("keras==3.1",), (), "matched"),
        (("tensor flow",), (), "no requirement"),
        (("tensorflow[and-cuda]", "tensorflow-cpu"), (), "give one"),
        (("tensorflow @ file:///x.whl",), (), "index"),
        ((), ("x; python_version > '3'",), "index"),
        (("-r",), (), "no requirement"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_way_out(
    names: tuple[str, ...], extras: tuple[str, ...], said: str
) -> None:
    with pytest.raises(Refused) as refused:
        request(names, False, extras)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("given", "split"),
    [
        (None, ()),
        (["jupyter,keras-hub", "scipy"], ("jupyter", "keras-hub", "scipy")),
        (["numpy>=1,<2, pandas"], ("numpy>=1,<2", "pandas")),
        (["a[b,c],d"], ("a[b,c]", "d")),
        ([" , ,"], ()),
    ],
)
def test_commas_separate_names_and_not_bounds(given: list[str], split: tuple[str, ...]) -> None:
    assert arguments.commas(given) == split


def test_commands_by_hand_hold_the_cure_and_survive_the_target_s_shell() -> None:
    choice = install_plans.choice()
    lines = by_hand(choice, Settings(), "my env")
    assert lines[-1] == (
        "ln -s ../../cusolver/lib/libcusolver.so.11 "
        "'my env'/lib/python3.12/site-packages/nvidia/cusparse/lib/libcusolver.so.11"
    )
    windows = choice._replace(target=install_plans.TARGET._replace(os="windows"), cures=(), requirements=("numpy<2",))
    assert by_hand(windows, Settings())[-1].endswith('--only-binary :all: "numpy<2"')

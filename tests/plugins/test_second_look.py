"""What of a plug-in's shows only in nntrain's own code: told at the plug-in's line all the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugged import project_of, told

SCALE = '''
@LAYERS.register("odd")
class Odd(Layer):
    """y = a x."""

    def __init__(self) -> None:
        self.calls = 0

    def build(self, in_shape):
        self.factor = self.add_parameter("factor", in_shape, Constant(1.0))
        return in_shape

    def forward(self, x, ctx):
        self.calls += 1
        self.x = x
        return np.multiply(x, self.factor.value, out=self.scratch("y", x.shape))

    def backward(self, dy):
        np.sum(dy * self.x, axis=0, out=self.factor.gradient_slot())
        self.factor.commit()
        return np.multiply(dy, self.factor.value, out=self.scratch("dx", dy.shape))
'''
CLASS, INIT = "class Odd(Layer):", "self.calls = 0"
PARAMETER = 'self.factor = self.add_parameter("factor", in_shape, Constant(1.0))'
IN = 'return np.multiply(x, self.factor.value, out=self.scratch("y", x.shape))'
BACK = 'return np.multiply(dy, self.factor.value, out=self.scratch("dx", dy.shape))'
LAST = BACK + "\n"
CONFIG = (
    "architecture: {name: sequential, layers: [{name: dense, units: 4}, odd, {name: dense, units: 1}]}\nbatch_size: 4\n"
)


def declared(*arguments: str) -> tuple[str, str]:
    return PARAMETER, f"self.factor = self.add_parameter({', '.join(arguments)})  # here"


def with_method(name: str, result: str) -> tuple[str, str]:
    return LAST, f"{LAST}\n    def {name}(self, *arguments):\n        return {result}\n"


NAME, SHAPE, INITIALIZER = '"factor"', "in_shape", "Constant(1.0)"

ODD: dict[str, tuple[tuple[str, str], str]] = {
    "a name that is a number": (declared("3", SHAPE, INITIALIZER), "expected a name such as 'kernel'"),
    "no name": (declared('""', SHAPE, INITIALIZER), "expected a name such as 'kernel'"),
    "a path": (declared('"a.b"', SHAPE, INITIALIZER), "expected a name such as 'kernel' for a parameter, got 'a.b'"),
    "a name twice": (
        (PARAMETER, f"{PARAMETER}\n        {declared(NAME, SHAPE, INITIALIZER)[1]}"),
        "the layer has a parameter 'factor' already",
    ),
    "a number for a shape": (declared(NAME, "4", INITIALIZER), "expected a tuple of whole numbers"),
    "a broken shape": (declared(NAME, "(4.0,)", INITIALIZER), "for the shape of 'factor', got (4.0,)"),
    "a negative shape": (declared(NAME, "(-1,)", INITIALIZER), "for the shape of 'factor', got (-1,)"),
    "no initializer": (declared(NAME, SHAPE, "None"), "expected an initializer such as Constant(1.0) for 'factor'"),
    "an initializer's name": (declared(NAME, SHAPE, '"ones"'), "for 'factor', got 'ones'"),
    "a function": (declared(NAME, SHAPE, "np.ones"), "expected an initializer"),
    "a lock": (
        (INIT, f"{INIT}\n        import threading; self.lock = threading.Lock()"),
        "Odd cannot be copied, as what is trained is: TypeError: cannot pickle",
    ),
    "a generator": ((INIT, f"{INIT}\n        self.numbers = (i for i in range(3))"), "cannot pickle 'generator'"),
    "no flops": (with_method("flops", "None"), "ValueError: flops returned None, expected a number from 0"),
    "flops in words": (with_method("flops", '"many"'), "flops returned 'many'"),
    "flops of nan": (with_method("flops", 'float("nan")'), "flops returned nan"),
    "flops as an array": (with_method("flops", "np.zeros(3)"), "flops returned array("),
    "nothing later": (
        (IN, f"if self.calls > 12:\n            return None\n        {IN}"),
        "layer 'odd' (odd_1): forward returned NoneType, which it did not in its first calls",
    ),
    "another shape later": (
        (IN, f"if self.calls > 12:\n            return x[:, :1]\n        {IN}"),
        "layer 'odd' (odd_1): forward returned shape (4, 1), which it did not",
    ),
    "another gradient later": (
        (BACK, f"if self.calls > 12:\n            return dy[:, :1]\n        {BACK}"),
        "layer 'odd' (odd_1): backward returned shape (4, 1), which it did not",
    ),
    "something else": (
        (LAST, f"{LAST}\n    def __new__(cls):\n        return 7\n"),
        "layer 'odd': Odd of my_layers.py made int, expected a layer",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_it_is_told_at_the_plug_in(folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (old, new), expected = ODD[name]
    assert old in SCALE
    line = project_of(folder, SCALE.replace(old, new), CONFIG)
    err = told(capsys, "fit", "config.yaml", "-q", code=2)
    assert expected in err
    assert "a bug in nntrain" not in err
    assert (f"my_layers.py:{line}: " if line else "my_layers.py") in err


def test_the_layer_itself_is_sound(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project_of(folder, SCALE, CONFIG)
    told(capsys, "fit", "config.yaml", "-q", code=0)


def test_parameters_of_shape_true(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = declared(NAME, "(True,)", INITIALIZER)
    project_of(folder, SCALE.replace(old, new), CONFIG)
    assert "for the shape of 'factor', got (True,)" in told(capsys, "fit", "config.yaml", "-q", code=2)


def test_what_fails_beside_the_training_is_a_warning(folder: Path) -> None:
    text = SCALE.replace(
        INIT,
        f"{INIT}\n        import threading, atexit\n        threading.Thread(target=lambda: 1 / 0).start()\n"
        "        import sys; threading.Thread(target=sys.exit).start()\n"
        "        atexit.register(lambda: {}['x'])",
    )
    project_of(folder, text, CONFIG)
    command = [sys.executable, "-m", "nntrain", "fit", "config.yaml", "-q"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "a thread of a plug-in's ended: ZeroDivisionError: division by zero" in done.stderr
    assert "an error that nobody can take up any more: KeyError: 'x'" in done.stderr
    assert all(line.startswith("warning: ") for line in done.stderr.splitlines()), done.stderr

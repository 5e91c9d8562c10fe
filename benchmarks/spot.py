"""Spot as a peer, in this process: the library that comes with ``stormpy``, through a shim of a few lines.

The wheel of stormpy 2.0.0 holds libspot 2.16 without headers. The shim declares what it calls (signatures as the
library exports them), is compiled with ``g++`` into a temporary folder, and takes the time inside, so that nothing of
Python is counted: a fresh dictionary of variables, translation, minimisation.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

SOURCE = r"""
#include <ctime>
#include <memory>
#include <string>
namespace spot {
class fnode;
class environment;
class formula {  // counted by the library alone: what is parsed is kept
  const fnode *node;
public:
  formula(const formula &other) : node(other.node) {}
  ~formula() {}
};
class default_environment { public: static environment &instance(); };
formula parse_formula(const std::string &, environment &);
class bdd_dict { public: bdd_dict(); ~bdd_dict(); private: char room[8192]; };
struct mtdfa_stats { unsigned states; char room[128]; };
struct mtdfa { mtdfa_stats get_stats(bool, bool) const; };
using dict_ptr = std::shared_ptr<bdd_dict>;
using mtdfa_ptr = std::shared_ptr<mtdfa>;
mtdfa_ptr ltlf_to_mtdfa(formula, const dict_ptr &, bool, bool, bool, bool);
mtdfa_ptr ltlf_to_mtdfa_compose(formula, const dict_ptr &, bool, bool, bool, bool, bool);
mtdfa_ptr minimize_mtdfa(const mtdfa_ptr &);
}
static double now() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}
extern "C" double translate(const char *text, int compose, unsigned *states) {
  try {
    auto f = spot::parse_formula(text, (spot::environment &)spot::default_environment::instance());
    double start = now();
    auto dict = std::make_shared<spot::bdd_dict>();
    spot::mtdfa_ptr made;
    if (compose)
      made = spot::ltlf_to_mtdfa_compose(f, dict, true, true, false, true, true);
    else
      made = spot::minimize_mtdfa(spot::ltlf_to_mtdfa(f, dict, true, true, true, true));
    double seconds = now() - start;
    *states = made->get_stats(false, false).states;
    return seconds;
  } catch (...) {
    return -1;
  }
}
"""


class Spot:
    """The translator. Raises ``OSError`` with a word where the library or the compiler is missing."""

    def __init__(self) -> None:
        found = find_spec("stormpy")
        folder = Path(found.origin).parent.parent / "stormpy.libs" if found is not None and found.origin else Path()
        libraries = sorted(folder.glob("libspot-*.so*")) + sorted(folder.glob("libbddx-*.so*"))
        if len(libraries) != 2:
            raise OSError("stormpy (whose wheel holds libspot) is not installed")
        if shutil.which("g++") is None:
            raise OSError("g++ is not installed")
        self._kept = tempfile.TemporaryDirectory()
        source, made = Path(self._kept.name) / "shim.cc", Path(self._kept.name) / "shim.so"
        source.write_text(SOURCE, encoding="utf-8")
        command = ["g++", "-O2", "-std=c++17", "-shared", "-fPIC", str(source), "-o", str(made), f"-L{folder}",
                   *(f"-l:{library.name}" for library in libraries), f"-Wl,-rpath,{folder}"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise OSError(f"the shim does not compile: {done.stderr[:200]}")
        library = ctypes.CDLL(str(made))
        self._translate = library.translate
        self._translate.restype = ctypes.c_double

    def seconds(self, formula: str, *, compose: bool) -> tuple[float, int]:
        """CPU seconds to the minimal automaton, and its states as Spot counts them (an accepting sink is none).

        ``compose``: by parts, as its command ``ltlf2dfa`` does, else at once. The formula is in the language of
        this project; ``X`` becomes Spot's strong next. Raises ``ValueError`` for one that Spot does not read.
        """
        states = ctypes.c_uint()
        text = re.sub(r"\bX\b", "X[!]", formula).encode()
        seconds = self._translate(text, int(compose), ctypes.byref(states))
        if seconds < 0:
            raise ValueError(f"Spot does not read {formula!r}")
        return seconds, states.value

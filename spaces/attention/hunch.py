"""The article's hunch about classifiers, measured: `python -m spaces.attention.hunch`.

Would a polynomial in place of exp make a better or a less overconfident classifier? One table for each task: mean and
standard error over splits, the difference in accuracy paired with softmax.
"""

from __future__ import annotations

import argparse
import json

from spaces.attention.classifier import Classifier, advance, start
from spaces.attention.classifier_figures import mean_se
from spaces.attention.normalisers import NORMALISERS

CASES = {
    "digits": {},
    "digits, a fifth of the labels random": {"noise": 0.2},
    "digits, linear": {"hidden": 0},
    "breast cancer": {"task": "breast_cancer"},
    "wine": {"task": "wine"},
}


def rows(settings: Classifier) -> dict[str, dict[str, tuple[float, float]]]:
    """Normaliser → measurement → (mean, standard error) at the end of the training."""
    _, frames = advance(start(settings), settings, settings.steps)
    last, out = {name: found[-1] for name, found in frames.items()}, {}
    for name, f in last.items():
        fields = ("accuracy", "nll", "ece", "ece_mass", "confidence", "sure_and_wrong")
        out[name] = {field: mean_se(getattr(f, field)) for field in fields}
        out[name]["difference"] = mean_se(f.accuracy - last["softmax"].accuracy)
    return out


def main() -> None:
    """Print the tables; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10, help="splits (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=Classifier.steps)
    asked, found = parser.parse_args(), {}
    for case, changes in CASES.items():
        settings = Classifier(normalisers=NORMALISERS, runs=asked.runs, steps=asked.steps, **changes)
        found[case] = rows(settings)
        print(f"{case}: {settings.runs} splits, {settings.steps} steps, train share {settings.train_share}")
        for name, row in found[case].items():
            said = "  ".join(f"{field} {100 * mean:6.2f} ± {100 * se:4.2f}" for field, (mean, se) in row.items())
            print(f"  {name:10}{said}", flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()

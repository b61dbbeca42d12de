"""The author's stratified norms, measured: `python -m spaces.attention.stratified`.

He proposes (archives/7921) to draw the norms of ω from strata of the chi distribution, besides orthogonal directions,
and ran nothing. Printed are, at 60° between q and k, the relative error of one kernel value with independent draws, its
squared error with orthogonal ones over that, and that of stratified norms over orthogonal ones, each with a standard
error; then the same for whole attention outputs; then the bias of norms at fixed quantiles.
"""

from __future__ import annotations

import argparse
import json
import math

import numpy as np

from shared.random_features import KINDS
from spaces.attention.errors import Errors, attention_points
from spaces.attention.kernel import DRAWS, Measured, measure, squares

DIMS, MULTIPLES, NORMS, ANGLE = (8, 16, 64), (1, 4, 16), (0.5, 1.0), 60.0


def ratio(one: Measured, two: Measured) -> tuple[float, float]:
    """The quotient of two mean squared errors, and its standard error."""
    value = (one.rmse / two.rmse) ** 2
    return value, 2 * value * math.hypot(one.rmse_se / one.rmse, two.rmse_se / two.rmse)


def kernel_rows(repeats: int, seed: int = 0) -> list[dict]:
    """One row for each kind, norm, dimension and number of features (a multiple of d)."""
    rows = []
    for kind in KINDS:
        for norm in NORMS:
            for dim in DIMS:
                for multiple in MULTIPLES:
                    features, place = 2 * dim * multiple, squares(norm, ANGLE)
                    found = {
                        how: measure(kind, how, dim, features, *place, repeats, np.random.default_rng([seed, i]))
                        for i, how in enumerate(DRAWS)
                    }
                    rows.append(
                        {
                            "kind": kind,
                            "norm": norm,
                            "dim": dim,
                            "features": features,
                            "iid": found["iid"].rmse,
                            "orthogonal_over_iid": ratio(found["orthogonal"], found["iid"]),
                            "stratified_over_orthogonal": ratio(found["stratified"], found["orthogonal"]),
                            "heavy_tail": any(m.dominated for m in found.values()),
                        }
                    )
    return rows


def attention_rows(repeats: int, seed: int = 0) -> list[dict]:
    """The median error of whole outputs with each draw, 256 keys."""
    rows = []
    for norm in NORMS:
        for dim in (16, 64):
            settings = Errors(
                measure="attention", norm=norm, dim=dim, features=4 * dim, repeats=10 * repeats, seed=seed
            )
            found = attention_points(settings, lambda share: None)
            for kind in KINDS:
                errors = {how: found[kind, how] for how in ("iid", "orthogonal", "stratified")}
                said = {how: (p.error, (p.high - p.low) / 2) for how, p in errors.items()}
                rows.append({"kind": kind, "norm": norm, "dim": dim, "features": 4 * dim, **said})
    return rows


def main() -> None:
    """Print the tables; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5_000, help="draws for one number (default: %(default)s)")
    parser.add_argument("--outputs", type=int, default=100, help="draws for whole attention (default: %(default)s)")
    asked = parser.parse_args()
    kernel = kernel_rows(asked.repeats)
    for row in kernel:
        one, two = row["orthogonal_over_iid"], row["stratified_over_orthogonal"]
        print(
            f"{row['kind']:14} |q| {row['norm']:.1f}  d {row['dim']:3}  m {row['features']:5}  iid {row['iid']:.4f}  "
            f"orthogonal / iid {one[0]:.3f} ± {one[1]:.3f}  stratified / orthogonal {two[0]:.3f} ± {two[1]:.3f}"
            f"{'  heavy tail' * row['heavy_tail']}"
        )
    outputs = attention_rows(asked.outputs)
    for row in outputs:
        said = "  ".join(f"{how} {row[how][0]:.4f} ± {row[how][1]:.4f}" for how in ("iid", "orthogonal", "stratified"))
        print(f"attention {row['kind']:14} |q| {row['norm']:.1f}  d {row['dim']:3}  m {row['features']:4}  {said}")
    for draws in (16, 64, 256):
        found = measure("positive", "quantiles", 8, draws, *squares(1.5, 0.0), asked.repeats, np.random.default_rng(0))
        print(f"fixed quantiles, d 8, |q + k| 3, m {draws:4}: estimate / truth {found.mean:.3f} ± {found.mean_se:.3f}")
    print(json.dumps({"kernel": kernel, "attention": outputs}))


if __name__ == "__main__":
    main()

"""Is mine collapsed? A verdict on embeddings, and what it rests on. The loss alone cannot tell.

Four ways to fail, from the coarse to the subtle:
    complete      all rows point in one direction: std × √d < 0.1
    partial       one common direction dominates: std × √d < 0.5
    dimensional   the rows are spread, but over few directions: effective rank < a tenth of what is possible
    local         the whole is spread, but each cluster is a point, or has few directions of its own
and two ways not to: noise (neighbours mean nothing) and healthy.

The overlap of neighbours: the dimensions are split into random halves, and each row's 10 nearest neighbours
(cosine) by the one half are compared with those by the other. 0 (corrected for chance): the halves know nothing
of each other, so neighbours are noise, as in random vectors or in the rounding that a collapse leaves. Near 1: each
half repeats the other, as with few effective directions. Trained representations lie between.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from spaces.simsiam import metrics

SAMPLE, SILHOUETTE, NEIGHBOURS, COMPONENTS = 5000, 1500, 10, 50
COMPLETE, PARTIAL, FEW, NOISE = 0.1, 0.5, 0.1, 0.02
TIGHT, APART, THIN = 0.2, 0.75, 0.05  # a cluster's std over the whole's; silhouette; share of directions
ENOUGH = 20  # rows below which no verdict is given


@dataclass(frozen=True)
class Cluster:
    """One k-means cluster of the unit vectors, measured about its own centre."""

    rows: int
    std: float  # × √d
    effective_rank: float  # of its covariance; 0 for a point


@dataclass(frozen=True)
class Report:
    """What was measured and what follows. None: not defined for so few rows or dimensions."""

    rows: int
    dim: int
    sampled: int  # rows that were measured, a fixed random sample where there are more than 5,000
    zero_rows: int  # rows of zeros, which have no direction and are left out
    duplicates: int  # rows that repeat another one
    std: float  # std × √d of the unit vectors: 1 spread evenly, 0 collapsed
    effective_rank: float  # 1 … d, about the origin
    possible_rank: int  # min(d, number of distinct rows)
    spectrum: np.ndarray  # log10 of the covariance's eigenvalues, largest first, at least −12
    clusters: tuple[Cluster, ...]
    separation: float | None  # the clusters' silhouette, −1 … 1: about 0.5 for slices of a continuum
    overlap: float | None  # of neighbours between halves of the dimensions: 0 chance, 1 the same
    kind: str  # complete, partial, dimensional, local, noise, healthy or too_few
    zh: str
    en: str


def examine(z: np.ndarray) -> Report:
    """The report on embeddings (N, d), finite, N ≥ 2."""
    generator = np.random.default_rng(0)
    sample = z[np.sort(generator.choice(len(z), SAMPLE, replace=False))] if len(z) > SAMPLE else z
    norms = np.linalg.norm(sample.astype(np.float64), axis=1)
    unit = (sample[norms > 0] / norms[norms > 0, None]).astype(np.float32)
    distinct = len(np.unique(unit, axis=0))
    measured = _measure(unit, distinct, generator) if distinct > 1 else _nothing(unit)
    facts = {
        "rows": len(z),
        "dim": z.shape[1],
        "sampled": len(sample),
        "zero_rows": int((norms == 0).sum()),
        "duplicates": len(unit) - distinct,
        "possible_rank": max(1, min(z.shape[1], distinct)),
        **measured,
    }
    return Report(**facts, **_verdict(facts))


def _nothing(unit: np.ndarray) -> dict:
    """All rows are one point, or zero."""
    flat = np.full(unit.shape[1], -12.0)
    return {"std": 0.0, "effective_rank": 1.0, "spectrum": flat, "clusters": (), "separation": None, "overlap": None}


def _measure(unit: np.ndarray, distinct: int, generator: np.random.Generator) -> dict:
    tensor = torch.from_numpy(unit)
    clusters, separation = _clusters(unit, distinct)
    return {
        "std": metrics.spread(tensor),
        "effective_rank": metrics.effective_rank(tensor),
        "spectrum": metrics.spectrum(tensor).clamp(min=1e-12).log10().numpy(),
        "clusters": clusters,
        "separation": separation,
        "overlap": _overlap(tensor, generator),
    }


def _clusters(unit: np.ndarray, distinct: int) -> tuple[tuple[Cluster, ...], float | None]:
    """The k-means clustering with the best silhouette, largest cluster first, and that silhouette."""
    if len(unit) < ENOUGH:
        return (), None
    scores = _scores(unit - unit.mean(0))
    counts = sorted({k for k in (2, 4, 8, 16, 32, distinct) if k * 5 <= len(unit) and k <= min(distinct, 32)})
    fits = [KMeans(k, n_init=2, random_state=0).fit_predict(scores) for k in counts]
    part = np.random.default_rng(0).permutation(len(unit))[:SILHOUETTE]
    judged = [(silhouette_score(scores[part], fit[part]), fit) for fit in fits if _can_be_judged(fit[part])]
    if not judged:
        return (), None
    separation, labels = max(judged, key=lambda pair: pair[0])
    found = (_cluster(unit[labels == label]) for label in np.unique(labels))
    return tuple(sorted(found, key=lambda cluster: -cluster.rows)), float(separation)


def _can_be_judged(labels: np.ndarray) -> bool:
    """silhouette_score needs 2 … N − 1 clusters."""
    return 1 < len(np.unique(labels)) < len(labels)


def _scores(centred: np.ndarray) -> np.ndarray:
    """Up to 50 principal components (N, 50): distances survive, clustering is cheap."""
    _, _, axes = torch.svd_lowrank(torch.from_numpy(centred), min(COMPONENTS, *centred.shape), niter=4)
    return centred @ axes.numpy()


def _cluster(part: np.ndarray) -> Cluster:
    centred = torch.from_numpy(part - part.mean(0)).double()
    values = torch.linalg.svdvals(centred) ** 2 / len(part)
    spread = float(centred.std(0, correction=0).mean()) * part.shape[1] ** 0.5
    share = values / values.sum().clamp(min=1e-300)
    rank = float(torch.exp(-torch.xlogy(share, share).sum())) if values.sum() > 1e-10 else 0.0
    return Cluster(len(part), spread, rank)


def _overlap(unit: torch.Tensor, generator: np.random.Generator) -> float | None:
    """Common neighbours by two random halves of the dimensions, 0 at chance, 1 where all are common."""
    rows, dim = unit.shape
    k = min(NEIGHBOURS, rows // 3)
    if dim < 4 or k < 1:
        return None
    order = torch.from_numpy(generator.permutation(dim))
    near = [_nearest(unit[:, half], k) for half in (order[: dim // 2], order[dim // 2 :])]
    common = (near[0][:, :, None] == near[1][:, None, :]).any(2).float().mean()
    chance = k / (rows - 1)
    return float((common - chance) / (1 - chance))


def _nearest(part: torch.Tensor, k: int) -> torch.Tensor:
    """(N, k) indices of each row's nearest others, by cosine about the origin."""
    part = torch.nn.functional.normalize(part, dim=1)
    similarity = part @ part.T
    return similarity.fill_diagonal_(-2).topk(k).indices


def _verdict(facts: dict) -> dict[str, str]:
    kind = _kind(facts)
    clusters = facts["clusters"]
    typical = _typical(clusters)
    words = facts | {
        "std": f"{facts['std']:.3f}",
        "effective_rank": f"{facts['effective_rank']:.1f}",
        "overlap": f"{facts['overlap']:.2f}" if facts["overlap"] is not None else "–",
        "count": len(clusters),
        "cluster_std": f"{typical.std:.3f}" if typical else "–",
        "cluster_rank": f"{typical.effective_rank:.1f}" if typical else "–",
    }
    zh, en = (text.format(**words) for text in SENTENCES[kind])
    for name, (extra_zh, extra_en) in EXTRAS.items():
        if facts[name] > (facts["sampled"] // 10 if name == "duplicates" else 0):
            zh, en = zh + extra_zh.format(**words), en + extra_en.format(**words)
    return {"kind": kind, "zh": zh, "en": en}


def _typical(clusters: tuple[Cluster, ...]) -> Cluster | None:
    """The cluster of the median row, by spread."""
    if not clusters:
        return None
    ordered = sorted(clusters, key=lambda cluster: cluster.std)
    counted = np.cumsum([cluster.rows for cluster in ordered])
    return ordered[int(np.searchsorted(counted, counted[-1] / 2))]


def _kind(facts: dict) -> str:
    """The coarsest failure first: what is collapsed completely is also collapsed in every other way."""
    measured = facts["sampled"] - facts["zero_rows"]
    if measured == 0 or (facts["std"] < COMPLETE and facts["dim"] > 1):
        return "complete"
    if measured < ENOUGH or facts["dim"] < 2:
        return "too_few"
    if facts["std"] < PARTIAL:
        return "partial"
    if facts["effective_rank"] < max(1.5, FEW * facts["possible_rank"]):
        return "dimensional"
    if _local(facts):
        return "local"
    return "noise" if facts["overlap"] is not None and facts["overlap"] < NOISE else "healthy"


def _local(facts: dict) -> bool:
    """Whether half of the rows lie in clusters that are points, or have far fewer directions than they could."""
    typical = _typical(facts["clusters"])
    if typical is None or typical.rows < 3:
        return False
    point = facts["separation"] > APART and typical.std < TIGHT * facts["std"]
    share = typical.effective_rank / min(facts["dim"], typical.rows - 1)
    return point or (facts["dim"] > 9 and share < THIN)


SENTENCES = {
    "complete": (
        "完全坍缩：单位化后 std × √d = {std}（均匀为 1，坍缩为 0；界线 0.1），各行几乎指向同一方向。",
        "Completely collapsed: std × √d of the unit vectors is {std} (1 spread evenly, 0 collapsed; the line is"
        " 0.1): nearly all rows point in one direction.",
    ),
    "partial": (
        "部分坍缩：std × √d = {std}（界线 0.5），一个公共方向占了主导。减去均值再看一次。",
        "Partly collapsed: std × √d is {std} (the line is 0.5): one common direction dominates. Subtract the mean"
        " and look again.",
    ),
    "dimensional": (
        "维度坍缩：整体是散开的（std × √d = {std}），但 {dim} 维里只用了约 {effective_rank} 个方向"
        "（界线为可能的 {possible_rank} 个的十分之一）。",
        "Dimensional collapse: the rows are spread (std × √d = {std}), but over about {effective_rank} directions"
        " of {dim} (the line is a tenth of the possible {possible_rank}).",
    ),
    "local": (
        "局部坍缩：整体散开（std × √d = {std}，有效秩 {effective_rank}），但分成 {count} 个簇后，典型的簇内部 std × √d"
        " 只有 {cluster_std}、有效秩 {cluster_rank}：簇内几乎没有差别。",
        "Local collapse: the whole is spread (std × √d = {std}, effective rank {effective_rank}), but inside the"
        " typical one of {count} clusters std × √d is only {cluster_std} and the effective rank {cluster_rank}:"
        " within a cluster there is hardly any difference.",
    ),
    "noise": (
        "没有坍缩（std × √d = {std}，有效秩 {effective_rank}/{dim}），但近邻只是噪声：两半维度给出的近邻重合"
        " {overlap}（0 为巧合）。像是随机向量。",
        "Not collapsed (std × √d = {std}, effective rank {effective_rank} of {dim}), but neighbours are noise: by"
        " two halves of the dimensions they overlap {overlap} (0 is chance). It looks like random vectors.",
    ),
    "healthy": (
        "没有坍缩：std × √d = {std}（均匀为 1），有效秩 {effective_rank}/{dim}，典型的簇内部 {cluster_std}，"
        "两半维度的近邻重合 {overlap}。这说明空间被用上了，不说明语义对：那要看下游任务。",
        "Not collapsed: std × √d = {std} (1 spread evenly), effective rank {effective_rank} of {dim}, {cluster_std}"
        " inside the typical cluster, neighbours by two halves of the dimensions overlap {overlap}. The space"
        " is in use; whether it means anything only a downstream task can tell.",
    ),
    "too_few": (
        "无法判断：{rows} 行 × {dim} 维太少（至少 20 行非零向量、2 维）。std × √d = {std}。",
        "No verdict: {rows} rows × {dim} are too few (at least 20 rows other than zero, and 2 dimensions)."
        " std × √d is {std}.",
    ),
}

EXTRAS = {
    "duplicates": ("其中 {duplicates} 行与别的行重复。", " {duplicates} rows repeat another one."),
    "zero_rows": (
        "另有 {zero_rows} 行全为零，没有方向，未计入。",
        " {zero_rows} rows are zero, have no direction and are left out.",
    ),
}

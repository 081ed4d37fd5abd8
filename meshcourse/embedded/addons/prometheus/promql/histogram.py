"""histogram_quantile over classic histograms. Source: prometheus.io "histogram_quantile()"."""

from __future__ import annotations

import numpy as np

from meshcourse.embedded.addons.prometheus.promql.values import Row, Scalar, Vector, drop
from meshcourse.embedded.addons.prometheus.tsdb import Floats, Labels

_Bucket = tuple[float, Row]


def histogram_quantile(share: Scalar, vector: Vector) -> Vector:
    """The `share` quantile of each histogram; `vector` holds ``le`` buckets with cumulative counts."""
    groups: dict[Labels, list[_Bucket]] = {}
    for row in vector:
        bound = _bound(dict(row.labels).get("le", ""))
        if bound is not None:
            groups.setdefault(drop(row.labels, ["le"]), []).append((bound, row))
    return [_quantile_row(labels, buckets, share) for labels, buckets in groups.items()]


def _bound(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _quantile_row(labels: Labels, buckets: list[_Bucket], share: Scalar) -> Row:
    buckets = sorted(buckets, key=lambda bucket: bucket[0])
    present = np.stack([row.present for _, row in buckets])
    counts = np.stack([row.values for _, row in buckets])
    bounds = np.array([bound for bound, _ in buckets])
    if present.all() and len(bounds) > 1 and len(np.unique(bounds)) == len(bounds):
        return Row(labels, _all_steps(share, bounds, counts), np.any(present, axis=0))
    found = [
        _quantile(float(share[step]), bounds[present[:, step]], counts[present[:, step], step])
        for step in range(counts.shape[1])
    ]
    return Row(labels, np.array(found), np.any(present, axis=0))


def _all_steps(share: Scalar, bounds: Floats, counts: Floats) -> Floats:
    """What `_quantile` gives, for all steps at once: no bucket is missing, none is there twice."""
    counts = np.maximum.accumulate(counts, axis=0)
    total, last, steps = counts[-1], len(bounds) - 1, np.arange(counts.shape[1])
    rank = share * total
    index = (counts[:-1] < rank).sum(axis=0)
    inner = index > 0
    start = np.where(inner, bounds[index - 1], 0.0)
    below = np.where(inner, counts[index - 1, steps], 0.0)
    with np.errstate(all="ignore"):
        inside = (rank - below) / (counts[index, steps] - below)
        found = start + (bounds[index] - start) * inside
    found = np.where((index == 0) & (bounds[0] <= 0), bounds[0], found)
    found = np.where(index == last, bounds[last - 1], found)
    found = np.where((total == 0) | np.isnan(total) | (bounds[last] != np.inf), np.nan, found)
    outside = np.where(share < 0, -np.inf, np.inf)
    found = np.where(((share < 0) | (share > 1)) & (bounds[last] == np.inf), outside, found)
    result: Floats = np.where(np.isnan(share), np.nan, found)
    return result


def _quantile(share: float, bounds: Floats, counts: Floats) -> float:
    if np.isnan(share) or len(bounds) < 2 or bounds[-1] != np.inf:
        return float("nan")
    if share < 0 or share > 1:
        return float("-inf") if share < 0 else float("inf")
    bounds, counts = _coalesced(bounds, counts)
    counts = np.maximum.accumulate(counts)  # rates of scraped buckets may be slightly out of order
    total = counts[-1]
    if len(bounds) < 2 or total == 0 or np.isnan(total):
        return float("nan")
    rank = share * total
    index = min(int(np.searchsorted(counts[:-1], rank, side="left")), len(bounds) - 1)
    return _interpolated(index, rank, bounds, counts)


def _interpolated(index: int, rank: float, bounds: Floats, counts: Floats) -> float:
    if index == len(bounds) - 1:
        return float(bounds[-2])
    if index == 0 and bounds[0] <= 0:
        return float(bounds[0])
    start, below = (0.0, 0.0) if index == 0 else (bounds[index - 1], counts[index - 1])
    inside = counts[index] - below
    with np.errstate(all="ignore"):
        return float(start + (bounds[index] - start) * ((rank - below) / inside))


def _coalesced(bounds: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Buckets that have the same bound written differently (``1`` and ``1.0``) are added up."""
    unique, places = np.unique(bounds, return_inverse=True)
    if len(unique) == len(bounds):
        return bounds, counts
    return unique, np.bincount(places, weights=counts).astype(np.float64)

"""Compare rules that choose one of several partitions without labels, on the tables of the battery.

    python benchmarks/starts.py FOLDER [--tables NAME ...] [--seeds 1 2 ...]

FOLDER is that of battery.py. For each table, all candidate partitions of gmvae.start.candidates are computed,
and the adjusted Rand index (ARI) of each rule's choice is recorded: a line of benchmarks/results/starts.jsonl
for each table and seed. The script prints the mean of each half.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from battery import Array, R, T, ari, load
from records import Record, complete
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, confusion_matrix
from sklearn.neighbors import KNeighborsClassifier

from gmvae.partition.communities import modularity
from gmvae.partition.conductance import conductance
from gmvae.partition.gaussians import criterion
from gmvae.partition.metrics import agreements
from gmvae.start.candidates import embedded
from gmvae.start.candidates.base import Rows
from gmvae.start.choice import OF_ROWS

RESULTS = Path(__file__).parent / "results" / "starts.jsonl"
FACTORS = (1.5, 2.0, 2.5, 2.75, 3.0)
IN_USE = 2.75
AGREEING, VOTERS = 0.5, 10
"""Minimum adjusted Rand index between a candidate and the chosen one for a say in the consensus, and the
number of core rows that decide about a doubtful row."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tables", nargs="+", default=[*T, *R])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    given = parser.parse_args()
    wanted = [{"table": table, "seed": seed} for table in given.tables for seed in given.seeds]
    results = complete(RESULTS, wanted, lambda table, seed: make(given.folder, table, seed))
    print("| rule | T | R |\n| --- | --- | --- |")
    for rule in results[0]["ari"]:
        means = []
        for half in (T, R):
            values = [[r["ari"][rule] for r in results if r["table"] == table] for table in half]
            means.append(f"{np.mean([np.mean(v) for v in values if v]):.3f}" if any(values) else "")
        print(f"| {rule} | {' | '.join(means)} |")


def make(folder: Path, table: str, seed: int) -> Record:
    """The ARI of each rule's choice."""
    y, labellings, clusters = load(folder, table)
    distinct, which = np.unique(y, axis=0, return_inverse=True)
    rows = Rows(distinct, clusters, seed)
    found: dict[str, Array] = {}
    for method in (*OF_ROWS, embedded.candidates):
        for name, partition in method(rows):
            partition = np.unique(partition, return_inverse=True)[1]
            if partition.max() + 1 == clusters:
                found[name] = partition
    agreed = {name: ari(partition[which], labellings) for name, partition in found.items()}
    taken = {rule: agreed[name] for rule, name in rules(rows, found).items()}
    consensus = {rule: ari(part[which], labellings) for rule, part in together(rows, found).items()}
    return {"ari": {"the best each time": max(agreed.values()), **taken, **consensus}, "candidates": agreed}


def rules(rows: Rows, found: dict[str, Array]) -> dict[str, str]:
    """The candidate that each rule chooses."""
    graphs = {count: rows.neighbours(count)[0] for count in (5, 10)}
    clear = {
        count: {name: float(np.mean(conductance(partition, graph))) for name, partition in found.items()}
        for count, graph in graphs.items()
    }
    both = {name: (clear[5][name] + clear[10][name]) / 2 for name in found}
    good = {name: criterion(rows.values, partition) for name, partition in found.items()}
    cut = {name: float((p[:, None] != p[graphs[10]]).mean()) for name, p in found.items()}
    modular = {name: modularity(partition, graphs[10]) for name, partition in found.items()}
    alike = dict(zip(found, agreements(list(found.values())).mean(1), strict=True))
    taken = {
        "fewest edges cut, 10 neighbours": min(found, key=cut.__getitem__),
        "greatest modularity, 10 neighbours": max(found, key=modular.__getitem__),
        "greatest agreement with the others": max(found, key=alike.__getitem__),
        "best Gaussians": max(found, key=good.__getitem__),
        "smallest mean conductance, 5 neighbours": min(found, key=clear[5].__getitem__),
        "smallest mean conductance, 10 neighbours": min(found, key=clear[10].__getitem__),
        "smallest mean conductance, both": min(found, key=both.__getitem__),
    }
    for label, measure in (("5 neighbours", clear[5]), ("10 neighbours", clear[10]), ("both", both)):
        for factor in FACTORS:
            close = [name for name in found if measure[name] <= factor * min(measure.values())]
            taken[f"best Gaussians within {factor:g} times the smallest, {label}"] = max(
                close, key=good.__getitem__
            )
    return taken


def together(rows: Rows, found: dict[str, Array]) -> dict[str, Array]:
    """Partitions by the chosen candidate and those that are separated as well and agree with it. By vote, a
    row is in the cluster of most of them. By core rows, those on which all agree, each other row is in the
    cluster of most of its nearest core rows."""
    graphs = [rows.neighbours(count)[0] for count in (5, 10)]
    clear = {name: np.mean([conductance(part, graph) for graph in graphs]) for name, part in found.items()}
    close = [part for name, part in found.items() if clear[name] <= IN_USE * min(clear.values())]
    chosen = max(close, key=lambda part: criterion(rows.values, part))
    agreeing = [matched(part, chosen) for part in close if adjusted_rand_score(part, chosen) >= AGREEING]
    votes = np.stack([sum(part == k for part in agreeing) for k in range(rows.clusters)])
    votes = votes + 0.5 * (np.arange(rows.clusters)[:, None] == chosen)
    core = votes.max(0) > len(agreeing)
    near = KNeighborsClassifier(min(VOTERS, core.sum())).fit(rows.values[core], chosen[core])
    return {
        "consensus by vote": votes.argmax(0),
        "consensus by core rows": np.where(core, chosen, near.predict(rows.values)),
    }


def matched(clusters: Array, reference: Array) -> Array:
    """Clusters with the numbers of those of a reference that overlap most, one to one."""
    _, number = linear_sum_assignment(confusion_matrix(clusters, reference), maximize=True)
    return number[clusters]


if __name__ == "__main__":
    main()

"""The observer that prints the progress of a fit in Python: ``verbose`` of the estimator."""

from __future__ import annotations

from gmvae.assess.moment import Moment
from gmvae.fit.observer import Fit, Observer, restarts
from gmvae.fit.result import Result
from gmvae.fit.state import Record
from gmvae.partition.stability import Choice
from gmvae.start.begin import Start


class Lines(Observer):
    """Prints a line for each tenth of a fit, or for each epoch.

    Arguments:
        verbose: 1 or 2.
    """

    def __init__(self, verbose: int) -> None:
        self.verbose, self.tenth = verbose, -1

    def begin(self, fit: Fit) -> None:
        self.fit = fit
        self.before = fit.epochs_before

    def progress(self, stage: str, done: float) -> None:
        if stage == "epochs":
            self.tenth = -1
            return
        what = {"start": f"{restarts(self.fit)}, start", "clusters": "choosing the number of clusters"}
        what |= {"length": "choosing the number of epochs", "stability": "starts from other samples"}
        tenth = int(done * 10 + 1e-9)
        if tenth > self.tenth:
            print(f"GMVAE, {what.get(stage, stage)}: {tenth * 10} %", flush=True)
        self.tenth = -1 if tenth == 10 else tenth

    def chosen(self, choice: Choice) -> None:
        print(f"GMVAE, {'' if choice.sure else 'not sure: '}{choice.reason}", flush=True)

    def epoch(self, record: Record, moment: Moment) -> None:  # noqa: ARG002
        epoch, epochs = (count - self.before for count in (record["epoch"], self.fit.epochs))
        if epoch % (max(1, epochs // 10) if self.verbose == 1 else 1) == 0:
            values = ", ".join(f"{k} {record[k]:.4g}" for k in ("loss", "validation_loss") if k in record)
            many = len(self.fit.seeds)
            print(f"GMVAE, restart {record['restart']} of {many}, epoch {epoch} of {epochs}: {values}")

    def arrived(self, restart: int, start: Start | None, records: list[Record], moment: Moment) -> None:  # noqa: ARG002
        loss = f"loss {records[-1]['loss']:.4g}"
        print(f"GMVAE, restart {restart} of {len(self.fit.seeds)}, {len(records)} epochs: {loss}")

    def finished(self, result: Result) -> None:
        for finding in result.findings:
            print(f"GMVAE, {finding}")

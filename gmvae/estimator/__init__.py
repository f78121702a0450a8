"""The faces of a fit in Python: ``gmvae`` is scikit-learn's contract around one fit, ``fitted`` what a fitted
model answers about rows, ``loading`` reads model files, ``selection`` chooses among fitted models."""

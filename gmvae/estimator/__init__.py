"""The Python interface: ``gmvae`` is the scikit-learn estimator around a fit, ``fitted`` applies a fitted
model to rows, ``loading`` reads model files, and ``selection`` chooses among fitted models."""

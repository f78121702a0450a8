"""What is written to disk, and read from it: the run folder, model files, their card, ONNX, and tables.

A file is written under a temporary name and renamed, so that nobody reads half of one; nothing is loaded with
pickle.
"""

"""What is written to disk, and read from it: the run folder, model files, their card, ONNX, and tables.

A file is written under a temporary name and renamed: no reader sees half of one. Nothing is loaded with
pickle.
"""

"""Everything that is stored on disk: the run folder, model files and their card, ONNX, and tables.

A file is written under a temporary name and then renamed, so no reader sees half of it. Nothing is loaded
with pickle.
"""

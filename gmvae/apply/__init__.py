"""A fitted model applied to files of any size, in and out by blocks of rows."""

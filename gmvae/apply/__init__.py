"""Apply a fitted model to files of any size, reading and writing blocks of rows."""

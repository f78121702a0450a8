"""The command line: ``app`` parses and prints, ``commands`` are what it can be asked, ``original`` takes the
flags of the original code.
"""

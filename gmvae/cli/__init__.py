"""The command line: ``app`` parses and prints, ``commands`` has the commands, ``original`` translates the
flags of the original code.
"""

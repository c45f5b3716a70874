"""The roof: the command line. The only composition root: here names become things."""

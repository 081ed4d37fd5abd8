"""``meshcourse``: the command line. A thin door; every command imports what it needs when it is called.

Belongs here: reading options, printing, exit codes. Does not belong here: anything worth testing without a terminal.
Progress goes to standard error, results to standard output.
"""

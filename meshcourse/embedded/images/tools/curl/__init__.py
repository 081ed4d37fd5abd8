"""curl for machines that have none: the options that mesh lessons use, with curl's output and exit codes.

Options (`options`) → transfers (`transfer`, over `wire`) → what is printed (`report`). HTTP/1.1 only.
"""

"""Views: what a learner looks at. They decide nothing and ask nothing.

Belongs here: turning typed state (an inventory, a journey, a report) into SVG, HTML, Markdown and plain text. Does not
belong here: I/O of any kind, statistics, anything that changes state. Each view has a `repr` that says the same in
text, so that a headless run keeps something readable.
"""

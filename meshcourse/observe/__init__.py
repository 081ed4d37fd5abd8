"""What the mesh does, measured: requests sent on a schedule, counted by what answered, with intervals.

Belongs here: the traffic generator, classifiers of answers, statistics, the result a learner looks at, and the HTTP
clients of the add-ons. Does not belong here: widgets, labs, anything that changes the cluster. I/O is allowed, except
in `stats`, `classify`, `result` and `bars`, which are pure.
"""

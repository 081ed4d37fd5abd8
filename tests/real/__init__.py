"""The course proved on a chosen cluster: every notebook with papermill and with nbval, every lab's start and solution.

``make prove CLUSTER=kind ISTIO=1.29.6 KUBERNETES=1.34`` writes ``build/report.json``; with ``AGAINST=FILE`` it says
what differs from an earlier report, and fails only if something got worse.
"""

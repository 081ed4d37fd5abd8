"""The Common Expression Language, as far as rules of CustomResourceDefinitions use it.

Belongs here: lexing, parsing into functions, values, the functions that Kubernetes adds. Does not belong here: walking
a resource and wording what a rule refused (`schemas.crd_rules`). No I/O. Source: the CEL specification, Kubernetes'
list of CEL libraries. Left out: optionals, comprehensions over two variables, cost limits, static types (a rule that
would not type-check fails when it runs), and rarely used libraries; see `functions.METHODS` and `functions.GLOBALS`.
"""

from __future__ import annotations

from meshcourse.embedded.apiserver.schemas.cel.lexer import SyntaxProblem
from meshcourse.embedded.apiserver.schemas.cel.parser import Program, compile_expression
from meshcourse.embedded.apiserver.schemas.cel.values import EvaluationError

__all__ = ["EvaluationError", "Program", "SyntaxProblem", "compile_expression"]

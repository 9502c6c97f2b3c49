"""Whether two sources do the same: annotations are not evaluated, and messages are for people."""

from __future__ import annotations

import ast


def is_equal_at_run_time(source: str, mutated: str) -> bool:
    """True where only annotations or messages of errors differ, or the mutated source is no Python at all."""
    try:
        return ast.dump(_Stripped().visit(ast.parse(source))) == ast.dump(_Stripped().visit(ast.parse(mutated)))
    except SyntaxError:
        return True


class _Stripped(ast.NodeTransformer):
    def visit_arguments(self, node: ast.arguments) -> ast.AST:
        # Whether a parameter may be given by its name is for the type checker too.
        node.args = [*node.posonlyargs, *node.args, *node.kwonlyargs]
        node.defaults = [*node.defaults, *(default for default in node.kw_defaults if default is not None)]
        node.posonlyargs, node.kwonlyargs, node.kw_defaults = [], [], []
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc.args = [ast.Constant(None) for _ in node.exc.args]
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST:
        # What stands there is for the type checker.
        return ast.Pass() if "TYPE_CHECKING" in ast.dump(node.test) else self.generic_visit(node)

"""Pieces of a file executed in one namespace, statement by statement, without the runs that they start."""

from __future__ import annotations
import __future__

import ast
import dis
import inspect
import linecache
import re
import traceback
from types import CodeType
from typing import Any, Dict, List, NamedTuple, Set

from flowdsl import cell_task
from flowdsl.cells import Piece
from flowdsl.errors import DefinitionError
from flowdsl.hold import HeldBack

__all__ = ["Execution", "PassedOver"]


_FUTURES = 0
for _feature in __future__.all_feature_names:
    _FUTURES |= getattr(__future__, _feature).compiler_flag


class PassedOver(NamedTuple):
    """A statement that was not executed to its end: it starts a run, or needs what such a one makes."""

    cell: int  # 0: not in a notebook
    line: int


class Execution:
    """Executes pieces in the namespace `space`; `passed_over` is what it did not execute to its end."""

    def __init__(self, space: Dict[str, Any]) -> None:
        self._space = space
        self.passed_over: List[PassedOver] = []
        self._missing: Set[str] = set()  # names that passed-over statements would have given a value
        self._unfilled: Set[str] = set()  # names of lists, dicts and sets that they may have filled
        self._futures = 0  # what `from __future__ import` asked for, as flags of the compiler
        self._loop: Any = None

    def run(self, piece: Piece) -> None:
        """Execute all statements of a piece; raises DefinitionError where one fails."""
        if piece.task is not None:
            self._define(piece, piece.task)
            return
        if piece.cell:  # so that tracebacks can show its lines
            lines = [line + "\n" for line in piece.source.splitlines()]  # Python 3.11 wants the last one to end too
            linecache.cache[piece.filename] = (len(piece.source), None, lines, piece.filename)
        try:
            statements = ast.parse(piece.source, piece.filename).body
        except SyntaxError as exc:
            raise DefinitionError("%s, line %s: %s" % (piece.label, exc.lineno, exc.msg)) from exc
        for statement in statements:
            if not self._is_done(statement, piece):
                break

    def _define(self, piece: Piece, line: str) -> None:
        try:
            cell_task.define(cell_task.read(line, piece.source), self._space, piece.filename)
        except DefinitionError as exc:
            raise DefinitionError("%s: %s" % (piece.label, exc)) from exc

    def _is_done(self, statement: ast.stmt, piece: Piece) -> bool:
        """Execute one statement; False where the rest of the piece is not to be executed."""
        code = self._compiled(statement, piece)
        try:
            value = eval(code, self._space)
            if inspect.iscoroutine(value) and code.co_flags & inspect.CO_COROUTINE:
                self._await(value)
        except HeldBack:
            self._pass_over(statement, code, piece)
        except Exception as exc:
            if self._is_consequence(exc, statement):
                self._pass_over(statement, code, piece)
            elif piece.may_raise:
                return False
            else:
                raise DefinitionError(_fault(exc, piece, statement)) from exc
        return True

    def _compiled(self, statement: ast.stmt, piece: Piece) -> CodeType:
        flags = self._futures | (ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if piece.cell else 0)
        try:
            code: CodeType = compile(ast.Module([statement], []), piece.filename, "exec", flags, dont_inherit=True)
        except (SyntaxError, ValueError) as exc:
            raise DefinitionError(_fault(exc, piece, statement)) from exc
        self._futures |= code.co_flags & _FUTURES
        return code

    def _await(self, coroutine: Any) -> None:
        import asyncio

        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(coroutine)

    def close(self) -> None:
        """Close the loop that served top-level `await`."""
        if self._loop is not None:
            self._loop.close()

    def _pass_over(self, statement: ast.stmt, code: CodeType, piece: Piece) -> None:
        self.passed_over.append(PassedOver(piece.cell, statement.lineno))
        for name in _stored_by(code):
            self._missing.add(name)
            self._space.pop(name, None)  # what an earlier statement gave it is not what later ones mean
        containers = (list, dict, set)
        self._unfilled |= {name for name in _named_in(statement) if isinstance(self._space.get(name), containers)}

    def _is_consequence(self, exc: Exception, statement: ast.stmt) -> bool:
        """Whether the statement fails for want of what was passed over."""
        found = re.search(r"'(\w+)'", str(exc)) if isinstance(exc, NameError) else None
        missing = found is not None and found.group(1) in self._missing
        return missing or not self._unfilled.isdisjoint(_named_in(statement))


def _fault(exc: Exception, piece: Piece, statement: ast.stmt) -> str:
    """One line: where in the file it happened, and what."""
    text = " ".join((exc.msg if isinstance(exc, SyntaxError) else str(exc)).split())
    what = text if isinstance(exc, (DefinitionError, SyntaxError)) else "%s: %s" % (type(exc).__name__, text)
    frames = [frame for frame in traceback.extract_tb(exc.__traceback__) if frame.filename == piece.filename]
    line = frames[-1].lineno if frames else getattr(exc, "lineno", None) or statement.lineno
    return "%s, line %s: %s" % (piece.label, line, what)


def _stored_by(code: CodeType) -> Set[str]:
    """The names that a statement at the top level gives values to."""
    stores = ("STORE_NAME", "STORE_GLOBAL")
    return {instruction.argval for instruction in dis.get_instructions(code) if instruction.opname in stores}


def _named_in(statement: ast.stmt) -> Set[str]:
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}

"""Requests to any HTTP service: all methods, JSON, forms, files, paging and typed failures."""

from __future__ import annotations

from drawloom.connectors.web.http import paging, planning, tools
from drawloom.connectors.web.http.connection import HttpConnection, connector

__all__ = ["HttpConnection", "connector", "paging", "planning", "tools"]

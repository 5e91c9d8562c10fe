"""``python -m agentc.benchmarks.methods``: make ``docs/methods.md`` anew from what is recorded."""

from __future__ import annotations

from agentc.benchmarks.methods.page import write_page

raise SystemExit(0 if write_page() else "there is no checkout with a folder docs/ here")

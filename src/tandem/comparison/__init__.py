"""One task on several engines: their answers, what may differ, whether they agree."""

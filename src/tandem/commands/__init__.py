"""One file per command: run, compare, advise, inspect, send, server; study is for experiments."""
